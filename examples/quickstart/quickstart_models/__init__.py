# SPDX-License-Identifier: Apache-2.0
"""The three models of the quickstart that need code around their weights.

Each class follows modelkeep's contract for the `python` loader and imports nothing of
modelkeep, so it can be tried on a plain folder of model files.
"""
