# SPDX-License-Identifier: Apache-2.0
"""Frozen values and their text forms. Nothing here touches a disk or a network."""
