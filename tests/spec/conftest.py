# SPDX-License-Identifier: Apache-2.0
from hypothesis import settings

# How long one example takes says nothing about whether a law holds.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")
