# SPDX-License-Identifier: Apache-2.0
"""The hall: what the command line, the server and Python programs ask for."""
