"""What is judged: Scratch and Reference, the same verbs over each.

torch is imported only when a Reference is made, so that training from scratch starts without it.
"""

from twofold.compare.sides.devices import SideError, devices, import_torch
from twofold.compare.sides.reference import Reference
from twofold.compare.sides.scratch import Scratch
from twofold.compare.sides.trace import States

Side = Scratch | Reference

__all__ = ["Reference", "Scratch", "Side", "SideError", "States", "devices", "import_torch"]
