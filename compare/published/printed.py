"""Numbers as a source printed them: a value is rounded to the published precision before it is compared."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Form:
    """How a column was printed: `digits` significant ones, or `decimals`; by default as many decimals as are seen.

    Given `decimals`, final zeros were dropped.
    """

    decimals: int | None = None
    digits: int | None = None

    def places(self, published: str) -> str:
        """The format that writes a number like `published`."""
        if self.digits is not None:
            return f".{self.digits - 1}e"
        mantissa, exponent, _ = published.lower().partition("e")
        shown = len(mantissa.partition(".")[2]) if self.decimals is None else self.decimals
        return f".{shown}{'e' if exponent else 'f'}"

    def write(self, value: float, published: str) -> str:
        """`value` at the precision of `published`."""
        text = format(value, self.places(published))
        if self.digits is not None:
            return format(Decimal(text), "f")
        return text if self.decimals is None else text.rstrip("0").rstrip(".")

    def unit(self, published: str) -> Decimal:
        """One unit in the last place that `published` shows."""
        exponent = Decimal(format(Decimal(published), self.places(published))).as_tuple().exponent
        assert isinstance(exponent, int)
        return Decimal(1).scaleb(exponent)

    def units_off(self, value: float, published: str) -> float:
        """By how many units of the last place the two differ once both are written at that precision; NaN is inf."""
        if value != value or abs(value) == float("inf"):
            return float("inf")
        difference = Decimal(self.write(value, published)) - Decimal(format(Decimal(published), self.places(published)))
        return float(abs(difference) / self.unit(published))


AS_SEEN = Form()
