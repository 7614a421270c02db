"""What goes into a layer or loss is what torch takes, or it is refused in one sentence: class, expected, found.

Arrays that are right come back as they are. `owner` is the layer that asks; the sentence names its class.
"""

import inspect
import math
from collections.abc import Callable
from functools import wraps
from types import EllipsisType
from typing import Any, NoReturn

import numpy as np
from numpy import ndarray
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int | str | EllipsisType, ...]  # a word stands for any size; `...`, first or last, for any axes

# float16 has neither the digits nor the range for sums; torch adds its sums up in float32
FLOATS = frozenset(map(np.dtype, (np.float32, np.float64, np.longdouble)))
FLOAT_NAMES = "float32, float64 or longdouble"


def refuse(owner: object, expected: str, found: Any, error: type[Exception] = ValueError) -> NoReturn:
    if isinstance(found, ndarray | np.generic):
        found = f"{found.shape} of {found.dtype}"
    raise error(f"{owner if isinstance(owner, str) else type(owner).__name__} expected {expected}, found {found}")


def checked(init: Callable[..., None]) -> Callable[..., None]:
    """An `__init__` that refuses arguments which it has not with a TypeError that names the class that was called."""
    signature = inspect.signature(init)
    parameters = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    has = inspect.Signature(parameters[1:])

    @wraps(init)
    def made(owner: Any, *given: Any, **named: Any) -> None:
        if type(owner).__init__ is made:
            try:
                signature.bind(owner, *given, **named)
            except TypeError as error:
                raise TypeError(f"{type(owner).__name__} expected {has}, found {error}") from None
        init(owner, *given, **named)

    return made


def plain(owner: object, what: str, given: Any) -> Array:
    """An array that is nothing but one: a matrix multiplies otherwise, a masked array hides what it has."""
    if isinstance(given, np.generic | np.memmap):
        return np.asarray(given)
    if type(given) is not ndarray:
        refuse(owner, f"{what} as a NumPy array", f"a {type(given).__name__}", TypeError)
    return given


def numbers(owner: object, x: Any, dtype: np.dtype | None = None, what: str = "an input") -> Array:
    """Floats of any shape, of this dtype where one is given: a layer's own."""
    if type(x) is not ndarray:
        x = plain(owner, what, x)
    found = x.dtype
    if found not in FLOATS or (dtype is not None and found != dtype):
        refuse(owner, f"{what} of {dtype if dtype in FLOATS else FLOAT_NAMES}", x, TypeError)
    return x


def features(owner: object, x: Any, size: int, dtype: np.dtype, what: str = "an input") -> Array:
    """Floats of this dtype and shape (..., size). The same as `shaped`, a microsecond faster."""
    if type(x) is ndarray and x.dtype is dtype and x.ndim and x.shape[-1] == size:
        return x
    return shaped(owner, x, dtype, (..., size), what=what)


def shaped(owner: object, x: Any, dtype: np.dtype | None, *shapes: Shape, what: str = "an input") -> Array:
    """Floats of one of these shapes."""
    if type(x) is not ndarray:
        x = plain(owner, what, x)
    if not any(fits(x.shape, shape) for shape in shapes):
        refuse(owner, f"{what} of shape {' or '.join(map(written, shapes))}", x)
    return numbers(owner, x, dtype, what)


def fits(found: tuple[int, ...], shape: Shape) -> bool:
    if ... in shape:
        axes = len(shape) - 1
        found = found[-axes:] if len(found) > axes and shape[0] is ... else found[:axes]
        shape = tuple(size for size in shape if size is not ...)
    if len(found) != len(shape):
        return False
    return all(size == length or type(size) is str for size, length in zip(shape, found, strict=True))


def written(shape: Shape) -> str:
    """As in mathematics: (N, 3, H, W)."""
    sizes = ["..." if size is ... else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def gradient(owner: object, dout: Any, shape: tuple[int, ...], dtype: np.dtype, what: str = "a gradient") -> Array:
    """With respect to what came out, of its shape; another float becomes its dtype, as in torch."""
    if type(dout) is ndarray and dout.dtype is dtype and dout.shape == shape:
        return dout
    dout = plain(owner, what, dout)
    if not np.issubdtype(dout.dtype, np.floating):
        refuse(owner, f"{what} of floats", dout, TypeError)
    if dout.shape != shape:
        refuse(owner, f"{what} of shape {shape}, that of what came out", dout)
    return dout.astype(dtype, copy=False)


def loss_gradient(owner: object, dloss: Any, shape: tuple[int, ...], dtype: np.dtype) -> Array | float:
    """With respect to a loss; a number for one that is a number."""
    if type(dloss) is float and shape == ():
        return dloss
    if isinstance(dloss, int | float) and not isinstance(dloss, bool | np.generic):
        dloss = np.array(float(dloss))
    return gradient(owner, dloss, shape, dtype)[()]


def alike(owner: object, x: Any, target: Any) -> tuple[Array, Array]:
    """A loss's input and its target of the same shape and dtype; integers and booleans become that, as in torch."""
    if type(x) is type(target) is ndarray and x.dtype is target.dtype and x.shape == target.shape and x.dtype in FLOATS:
        return x, target
    x = numbers(owner, x)
    target = plain(owner, "a target", target)
    if target.shape != x.shape:
        refuse(owner, f"a target of the input's shape {x.shape}", target)
    if target.dtype.kind in "iub":
        target = target.astype(x.dtype)
    return x, numbers(owner, target, x.dtype, "a target")


def logits(owner: object, x: Any, target: Any, alone: bool = True) -> tuple[Array, Array]:
    """Logits (N, C) and their classes (N,); of one record `alone`, (C,) and (), the logits as (1, C)."""
    if not type(x) is type(target) is ndarray:
        x, target = plain(owner, "logits", x), plain(owner, "classes", target)
    if not 2 - alone <= x.ndim <= 2 or target.shape != x.shape[:-1] or x.shape[-1] == 0:
        expected = "logits (N, C) and classes (N,)" + ", or (C,) and ()" * alone
        refuse(owner, expected, f"{x.shape} and {target.shape}")
    x = numbers(owner, x, what="logits")
    return x if x.ndim == 2 else x[None], indices(owner, target, x.shape[-1], "classes")


def two(owner: object, given: Any, what: str, whole: bool = False) -> tuple[Any, Any]:
    """The parts of a tuple, neither missing where it must be whole; one array of two would come apart too."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        found = f"{len(given)} of them" if isinstance(given, tuple | list) else given
        refuse(owner, what, found if isinstance(found, ndarray | str) else f"a {type(found).__name__}", TypeError)
    if whole and any(part is None for part in given):
        refuse(owner, what, "None for one of them", TypeError)
    return given[0], given[1]


def indices(owner: object, given: Any, count: int, what: str) -> Array:
    """Integers in [0, count) as int64: in a narrower type a sum wraps, and booleans pick as a mask does."""
    if type(given) is not ndarray:
        given = plain(owner, what, given)
    if given.dtype.kind not in "iu":
        refuse(owner, f"{what} as integers", given, TypeError)
    wide = given.astype(np.int64, copy=False)
    if given.size and wide.view(np.uint64).max() >= count:  # as unsigned a negative one is large
        refuse(owner, f"{what} in [0, {count})", f"{what} from {given.min()} to {given.max()}", IndexError)
    return wide


def finite(x: Array) -> bool:
    """Whether neither NaN nor an infinity is in it: by the sum of its squares, so False for some that are large too."""
    return math.isfinite(np.vdot(x, x))


def whole(owner: object, name: str, value: Any, least: int = 1, exact: bool = False) -> int:
    """A size as an int; NumPy's integers are taken where torch takes them, floats and booleans nowhere."""
    if not isinstance(value, int if exact else int | np.integer) or isinstance(value, bool):
        refuse(owner, f"{name} as {'an int' if exact else 'a whole number'}", repr(value), TypeError)
    if value < least:
        refuse(owner, f"{name} of {least} or more", value)
    return int(value)


def pair(owner: object, name: str, value: Any, least: int = 1, lengths: tuple[int, ...] = (1, 2)) -> tuple[int, int]:
    """Height and width, of one number for both or of a tuple."""
    sizes = tuple(value) if isinstance(value, tuple | list) else (value,)
    if isinstance(value, tuple | list) and len(sizes) not in lengths:
        refuse(owner, f"{name} as one whole number or two", repr(value))
    height, width = (whole(owner, name, size, least) for size in (sizes[0], sizes[-1]))
    return height, width


def number(owner: object, name: str, value: Any) -> float:
    """A real number as a float: NumPy's would make float64 of float32 where they meet."""
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        refuse(owner, f"{name} as a number", repr(value), TypeError)
    return float(value)
