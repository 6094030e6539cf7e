# SPDX-License-Identifier: Apache-2.0
"""Bytes on disk, each file named by its own digest (DESIGN §3)."""
