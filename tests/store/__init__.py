# SPDX-License-Identifier: Apache-2.0
"""Tests of the store: real files, and real processes that are killed."""
