"""Speed and memory side by side: training steps, single layers, plain loops, growing batches.

Equality comes first: what differs is not timed. No time is ever asserted, only printed beside its goal.
"""
