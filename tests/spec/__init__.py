# SPDX-License-Identifier: Apache-2.0
"""Tests of the values and their text forms."""
