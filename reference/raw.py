"""Models of raw tensors with autograd, behind the few verbs of a Module that others ask of it."""

from collections.abc import Mapping

from torch import Tensor, nn


class Raw(nn.Module):
    """Tensors in a dict under the names that torch.nn would give them; a subclass writes `compute(tensors, x)`."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            holder: nn.Module = self
            *path, last = name.split(".")
            for part in path:
                if part not in holder._modules:
                    holder.add_module(part, nn.Module())
                holder = holder.get_submodule(part)
            holder.register_parameter(last, nn.Parameter(tensor))

    def relu(self, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    relu1 = relu2 = relu

    def compute(self, tensors: dict[str, Tensor], x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(dict(self.named_parameters()), x)
