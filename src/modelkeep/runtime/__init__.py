# SPDX-License-Identifier: Apache-2.0
"""Models in processes of their own: loaded in order, asked, restarted, drained, ended.

``pool`` is the way in; ``phases`` and ``restart`` decide, ``slot`` and
``process`` act, ``worker`` is what runs in the child.
"""
