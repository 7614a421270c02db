"""What was hung on one of torch's objects, or put in the place of its own: then its class says nothing any more."""

from typing import Any

HUNG = {
    "_forward_pre_hooks": "a forward pre-hook",
    "_forward_hooks": "a forward hook",
    "_backward_pre_hooks": "a backward pre-hook",
    "_backward_hooks": "a backward hook",
    "_optimizer_step_pre_hooks": "a step pre-hook",
    "_optimizer_step_post_hooks": "a step hook",
    "_post_accumulate_grad_hooks": "a hook on its gradient",
}


def hooks(made: Any, name: str) -> list[str]:
    """In words, such as "norm1 has a forward hook"."""
    told = [f"{name} has {what}" for key, what in HUNG.items() if vars(made).get(key)]
    return told + [f"{name} has a {own} of its own on the instance" for own in ("forward", "step") if own in vars(made)]
