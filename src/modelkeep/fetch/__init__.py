# SPDX-License-Identifier: Apache-2.0
"""From sources into the store: what is missing, each byte once, verified on the way."""
