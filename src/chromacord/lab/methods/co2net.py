"""CO2Net: Lu, Huang, Niu, Cong and Zhang, "Deep Video Harmonization with Color Mapping Consistency", IJCAI 2022.

https://arxiv.org/abs/2205.00687. A method for pictures, the backbone, harmonizes each frame by itself. What became of
the colours of the 8 frames before and of the 8 after is a colour mapping (`chromacord.lab.color.mapping`); a refinement
of two convolutions joins what it says of a frame with what the backbone made of it. The backbone is trained first and
stays as it is.

The ends of a video are as published, which is what `chromacord.analysis.windows` gives: the first or the last frame
stands in for those that are missing. A frame is its own neighbour nowhere else.

The authors' head mixes the composite as it is, in [0, 1], with a picture that is normalised, and takes the result for
normalised. So does this one: published weights were trained so, recipes/co2net.toml repeats what the published table
was made with, and a head that learns how much to mix makes up for it. `normalized_composite` gives it what its formula
means, for weights that are trained so.

Differs from the authors' code in one place: the mapping's sums are taken in double precision, in another order.
"""

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from chromacord.errors import InputError
from chromacord.lab.methods.backbone import Backbone
from chromacord.lab.methods.evidence import kept_without_evidence
from chromacord.lab.methods.issam import ISSAM
from chromacord.lab.methods.rainnet import RainNet
from chromacord.lab.networks.co2net_network import FUTURE, NUM_COLORS, PAST, CO2NetNetwork, Refinement
from chromacord.lab.published import weights_of
from chromacord.lab.torch_method import TensorPrediction, TorchMethod
from chromacord.lab.weight_files import fit, renamed
from chromacord.methods.base import State, Window
from chromacord.types import Size

_BACKBONES: Mapping[str, type[Backbone]] = {"issam": ISSAM, "rainnet": RainNet}

_BACKBONE, _REFINEMENT = "backbone.", "refinement."
"""How the keys of the parts begin; the authors call the refinement otherwise."""

_PUBLISHED_REFINEMENT = "refine_network."
_PUBLISHED_LAYERS = {"blocks": "refine_block", "head.share": "conv_attention", "head.color": "to_rgb"}
_FIRST = "blocks.0.weight"

_OF_FEATURES: Mapping[int, type[Backbone]] = {32: ISSAM, 128: RainNet}
"""Which published backbone has so many features."""


class CO2Net(TorchMethod):
    """Harmonize with the colours that a method for pictures gives neighbouring frames (CO2Net, Lu 2022).

    Args:
        weights: shipped weights, the path of a .safetensors file, or of a checkpoint that the authors published (.pth).
            None: not trained.
        backbone: the method for pictures; its working_side must be one that this method can have.
        backbone_weights: of the backbone, as that method takes them; where `weights` hold it too, left out.
        width: of the backbone, as that method takes it; None: the published one.
        features: whether the refinement looks at the backbone's features.
        normalized_composite: see the top of this file; as the weights were trained.
        hop: how many frames come out of a window, between 8 and 8.
        working_side: height and width of the pictures that it looks at; weights know one size best.
    """

    def __init__(
        self,
        weights: str | None = "co2net",
        *,
        backbone: Literal["issam", "rainnet"] = "issam",
        backbone_weights: str | None = None,
        width: int | None = None,
        features: bool = True,
        normalized_composite: bool = False,
        hop: int = 1,
        working_side: int = 256,
    ) -> None:
        super().__init__()
        if hop < 1:
            raise InputError(f"hop must be 1 or more, got {hop}")
        self.window, self.working_size = Window(PAST, hop, FUTURE), Size(working_side, working_side)
        self.network = CO2NetNetwork(
            build_backbone(backbone, backbone_weights, working_side=working_side, width=width),
            has_features=features,
            is_composite_normalized=normalized_composite,
        )
        if weights is not None:
            load_weights(self.network, weights, backbone=backbone, backbone_weights=backbone_weights)

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> TensorPrediction:
        """Harmonize the middle frames of each window.

        Args:
            composite: RGB in [0, 1]. Shape (B, 8 + hop + 8, 3, H, W), H and W free.
            mask: foreground weight. Shape (B, 8 + hop + 8, 1, H, W).
            state: a `Memory`, or None.

        Raises:
            InputError: the window has another length.
        """
        if composite.shape[1] != self.window.length:
            raise InputError(
                f"a window of co2net has {self.window.length} frames, got {composite.shape[1]}; repeat the first and "
                "the last frame of a shorter clip, as chromacord.analysis.windows does"
            )
        made, memory = self.network.window(composite, mask, state)
        places = slice(PAST, PAST + self.window.hop)
        middle, weight = composite[:, places].flatten(0, 1), mask[:, places].flatten(0, 1)
        harmonized = kept_without_evidence(made.flatten(0, 1).clamp(0, 1), middle, weight)
        return TensorPrediction(harmonized.view_as(made), state=memory)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of the authors' checkpoints: of a refinement, or of backbone and refinement.

        See `TorchMethod.from_published`. Any shape.
        """
        backbone = {key.removeprefix(_BACKBONE): value for key, value in checkpoint.items() if _is_of_backbone(key)}
        theirs = {
            key.removeprefix(_PUBLISHED_REFINEMENT): value
            for key, value in checkpoint.items()
            if not _is_of_backbone(key)
        }
        refinement = Refinement(_num_features(theirs.get(_published_key(_FIRST))))
        names = {key: _published_key(key) for key in refinement.state_dict()}
        found = {f"{_REFINEMENT}{key}": value for key, value in renamed(theirs, refinement, names).items()}
        if not backbone:
            return found
        method = _OF_FEATURES.get(refinement.num_features, ISSAM)
        return found | {f"{_BACKBONE}network.{key}": value for key, value in method.from_published(backbone).items()}

    @classmethod
    def needed_options(cls, state: Mapping[str, Tensor]) -> str:
        """Return the options that say what the refinement was trained with. Any shape.

        See `TorchMethod.needed_options`.
        """
        num_features = _num_features(state[f"{_REFINEMENT}{_FIRST}"])
        needed = {128: ":backbone=rainnet", 0: ":features=false"}.get(num_features, "")
        return needed if any(map(_is_of_backbone, state)) else f"{needed}:backbone_weights=FILE"


def build_backbone(name: str, weights: str | None, *, working_side: int = 256, width: int | None = None) -> Backbone:
    """Build a backbone.

    Args:
        name: of the method.
        weights: as it takes them; None: as training starts from.
        working_side: as it takes it.
        width: as it takes it; None: the published one.

    Raises:
        InputError: the weights cannot be read or are of another network, or it cannot look at such pictures.
    """
    method: Any = _BACKBONES[name]
    chosen = {} if width is None else {"width": width}
    backbone: Backbone = method(weights, working_side=working_side, **chosen)
    return backbone


def load_weights(network: CO2NetNetwork, source: str, *, backbone: str, backbone_weights: str | None) -> None:
    """Give a network its weights.

    Args:
        network: is changed; its backbone has `backbone_weights` already, if there are any.
        source: the name of shipped weights, or the path of a file, which may hold the refinement alone.
        backbone: the method's name, for messages.
        backbone_weights: where the backbone's weights came from.

    Raises:
        InputError: they cannot be read, are of another network, or those of the backbone are not given.
    """
    state = weights_of(source, CO2Net.from_published)
    first = state.get(f"{_REFINEMENT}{_FIRST}")
    wanted = network.refinement.state_dict()[_FIRST].shape[1]
    if first is not None and first.ndim > 1 and first.shape[1] != wanted:
        raise InputError(
            f"{source}: its refinement takes {first.shape[1]} channels, and gets {wanted} with the backbone {backbone} "
            f"and features={str(network.has_features).lower()}; give the options that it was trained with"
        )
    has_backbone = any(map(_is_of_backbone, state))
    if has_backbone and backbone_weights is not None:
        raise InputError(f"{source}: already holds its backbone's weights; omit backbone_weights")
    if first is not None and not has_backbone:
        if backbone_weights is None:
            raise InputError(f"{source}: holds only a refinement; give backbone_weights too, those of {backbone}")
        state |= {f"{_BACKBONE}{key}": value for key, value in network.backbone.state_dict().items()}
    fit(network, state, source=source)


def _is_of_backbone(key: str) -> bool:
    return key.startswith(_BACKBONE)


def _num_features(first: Tensor | None) -> int:
    """Return how many of the channels that a refinement takes are features; 0 where that cannot be said."""
    width = first.shape[1] - NUM_COLORS if first is not None and first.ndim > 1 else 0
    return width if width in _OF_FEATURES else 0


def _published_key(key: str) -> str:
    """Return what the authors call one of our weights of the refinement."""
    ours = next(name for name in _PUBLISHED_LAYERS if key.startswith(f"{name}."))
    return _PUBLISHED_LAYERS[ours] + key.removeprefix(ours)
