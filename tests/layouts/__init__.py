# SPDX-License-Identifier: Apache-2.0
"""Tests of the layouts, read by the frameworks that they are for."""
