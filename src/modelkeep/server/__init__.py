# SPDX-License-Identifier: Apache-2.0
"""HTTP on the loopback: health, models, predictions, the Open Inference Protocol V2."""
