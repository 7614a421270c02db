"""The device is made known to torch, with the kernels that the CPU has under no such name."""

from typing import Any

import torch
from torch import Tensor

from tests.device.standin import NAME, altered, calls, copy_from, generator, home, is_away, resize, run, sent

aten = torch.ops.aten


class Module:
    """`torch.standin`: one device, with a generator of its own."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        generator.manual_seed(seed)

    def get_rng_state(self, device: Any = 0) -> Tensor:
        return generator.get_state()

    def set_rng_state(self, state: Tensor, device: Any = 0) -> None:
        generator.set_state(state)


def kernel(function: Any) -> Any:
    """A kernel written in CPU tensors, as one of the device's."""
    name = f"aten::{function.__name__}"

    def run_on_hosts(*args: Any) -> Any:
        calls[name] = calls.get(name, 0) + 1
        found = function(*(home(value) if is_away(value) else value for value in args))
        return sent(altered[name](found) if name in altered else found, set())

    return run_on_hosts


def convolution_overrideable(x: Any, weight: Any, bias: Any, *how: Any) -> Any:
    return run(aten.convolution.default, x, weight, bias, *how)


def convolution_backward_overrideable(dout: Any, x: Any, weight: Any, *how: Any) -> Any:
    return run(aten.convolution_backward.default, dout, x, weight, [weight.shape[0]], *how)


def native_dropout(x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    if train is False or p == 0:
        return x.clone(), torch.ones_like(x, dtype=torch.bool)
    mask = torch.empty_like(x).bernoulli_(1 - p, generator=generator)
    return x * mask / (1 - p) if p < 1 else torch.zeros_like(x), mask.bool()


def _thnn_fused_lstm_cell(
    of_input: Tensor, of_state: Tensor, c: Tensor, bias: Tensor | None = None, other: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    gates = of_input + of_state + (0 if bias is None else bias + other)
    i, f, g, o = gates.chunk(4, 1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    after = f * c + i * g
    return o * after.tanh(), after, torch.cat([i, f, g, o], 1)


def _thnn_fused_lstm_cell_backward_impl(
    dh: Tensor | None, dc: Tensor | None, c: Tensor, after: Tensor, kept: Tensor, has_bias: bool
) -> tuple[Tensor, Tensor, Tensor]:
    i, f, g, o = kept.chunk(4, 1)
    out = after.tanh()
    dh, dc = (torch.zeros_like(c) if d is None else d for d in (dh, dc))
    dc = dc + dh * o * (1 - out * out)
    gates = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * out * o * (1 - o)]
    dgates = torch.cat(gates, 1)
    return dgates, dc * f, dgates.sum(0) if has_bias else torch.empty(0, dtype=c.dtype)


def _thnn_fused_gru_cell(
    of_input: Tensor, of_state: Tensor, h: Tensor, bias: Tensor | None = None, other: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    if bias is not None and other is not None:
        of_input, of_state = of_input + bias, of_state + other
    (xr, xz, xn), (hr, hz, hn) = of_input.chunk(3, 1), of_state.chunk(3, 1)
    r, z = (xr + hr).sigmoid(), (xz + hz).sigmoid()
    n = (xn + r * hn).tanh()
    return n + z * (h - n), torch.cat([r, z, n, h, hn], 1)


def _thnn_fused_gru_cell_backward(dh: Tensor, kept: Tensor, has_bias: bool) -> tuple[Tensor, ...]:
    r, z, n, h, hn = kept.chunk(5, 1)
    dz, dn = dh * (h - n) * z * (1 - z), dh * (1 - z) * (1 - n * n)
    dr = dn * hn * r * (1 - r)
    of_input, of_state = torch.cat([dr, dz, dn], 1), torch.cat([dr, dz, dn * r], 1)
    sums = [d.sum(0) if has_bias else torch.empty(0, dtype=h.dtype) for d in (of_input, of_state)]
    return of_input, of_state, dh * z, *sums


PLAIN = (convolution_overrideable, convolution_backward_overrideable)
WRITTEN = (
    native_dropout,
    _thnn_fused_lstm_cell,
    _thnn_fused_lstm_cell_backward_impl,
    _thnn_fused_gru_cell,
    _thnn_fused_gru_cell_backward,
)
_libraries: list[Any] = []


def register() -> None:
    """Makes the device known to torch, once a process."""
    if _libraries:
        return
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    _setup_privateuseone_for_python_backend(NAME, Module())
    every, some = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    every.fallback(run, "PrivateUse1")
    named = {"_copy_from": copy_from, "resize_": resize}
    named |= {function.__name__: function for function in PLAIN}
    named |= {function.__name__: kernel(function) for function in WRITTEN}
    for name, function in named.items():
        some.impl(name, function, "PrivateUse1")
    _libraries.extend((every, some))
