# SPDX-License-Identifier: Apache-2.0
"""Real servers on 127.0.0.1 for tests; they misbehave on order."""
