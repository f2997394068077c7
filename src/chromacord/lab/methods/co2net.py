"""CO2Net: Lu, Huang, Niu, Cong and Zhang, "Deep Video Harmonization with Color Mapping Consistency", IJCAI 2022.

https://arxiv.org/abs/2205.00687. An image method, the backbone, harmonizes each frame independently. A colour mapping
(`chromacord.lab.color.mapping`) records how it changed the colours of the 8 frames before and the 8 after. A refinement
of two convolutions combines the mapped frame with the backbone's result. The backbone is trained first and then frozen.

The ends of a video are handled as published, which `chromacord.analysis.windows` implements: the first or last frame
replaces missing ones. Nowhere else is a frame its own neighbour.

The authors' head mixes the composite in [0, 1] with a normalized picture and treats the result as normalized. This one
does too: published weights were trained that way, recipes/co2net.toml reproduces the published table, and a head with
learned mixing compensates. `normalized_composite` implements the formula as intended, for weights trained with it.

One difference from the authors' code: the mapping's sums are accumulated in double precision, in another order.
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
"""Key prefixes of the parts; the authors name the refinement differently."""

_PUBLISHED_REFINEMENT = "refine_network."
_PUBLISHED_LAYERS = {"blocks": "refine_block", "head.share": "conv_attention", "head.color": "to_rgb"}
_FIRST = "blocks.0.weight"

_OF_FEATURES: Mapping[int, type[Backbone]] = {32: ISSAM, 128: RainNet}
"""Published backbones by their number of features."""


class CO2Net(TorchMethod):
    """Harmonize with the colours that an image method gives to neighbouring frames (CO2Net, Lu 2022).

    Args:
        weights: name of shipped weights, the path of a .safetensors file, or of a published checkpoint (.pth). None:
            untrained.
        backbone: name of the image method; its working_side must support this method's.
        backbone_weights: the backbone's weights, as for that method; omit if `weights` includes them.
        width: the backbone's width, as for that method; None: the published one.
        features: feed the backbone's features to the refinement.
        normalized_composite: see the module docstring; must match the weights.
        hop: number of frames taken from each window, between 8 and 8 of context.
        working_side: height and width of the network's input; best at the size of training.
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
            composite: RGB in [0, 1]. Shape (B, 8 + hop + 8, 3, H, W), any H and W.
            mask: foreground weight. Shape (B, 8 + hop + 8, 1, H, W).
            state: a `Memory`, or None.

        Raises:
            InputError: the window has the wrong length.
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
        """Convert a published checkpoint: of a refinement, or of backbone and refinement.

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
        """Return the options with which the refinement was trained. Any shape.

        See `TorchMethod.needed_options`.
        """
        num_features = _num_features(state[f"{_REFINEMENT}{_FIRST}"])
        needed = {128: ":backbone=rainnet", 0: ":features=false"}.get(num_features, "")
        return needed if any(map(_is_of_backbone, state)) else f"{needed}:backbone_weights=FILE"


def build_backbone(name: str, weights: str | None, *, working_side: int = 256, width: int | None = None) -> Backbone:
    """Build a backbone.

    Args:
        name: of the method.
        weights: as for that method; None: untrained.
        working_side: as for that method.
        width: as for that method; None: the published one.

    Raises:
        InputError: the weights cannot be read or belong to another network, or the size is unsupported.
    """
    method: Any = _BACKBONES[name]
    chosen = {} if width is None else {"width": width}
    backbone: Backbone = method(weights, working_side=working_side, **chosen)
    return backbone


def load_weights(network: CO2NetNetwork, source: str, *, backbone: str, backbone_weights: str | None) -> None:
    """Load weights into a network.

    Args:
        network: modified in place; its backbone already has `backbone_weights`, if given.
        source: name of shipped weights, or the path of a file, which may hold only the refinement.
        backbone: the method's name, for error messages.
        backbone_weights: origin of the backbone's weights.

    Raises:
        InputError: they cannot be read, belong to another network, or lack the backbone's weights.
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
    """Return how many of a refinement's input channels are features; 0 if unknown."""
    width = first.shape[1] - NUM_COLORS if first is not None and first.ndim > 1 else 0
    return width if width in _OF_FEATURES else 0


def _published_key(key: str) -> str:
    """Return the authors' key for one of the refinement's weights."""
    ours = next(name for name in _PUBLISHED_LAYERS if key.startswith(f"{name}."))
    return _PUBLISHED_LAYERS[ours] + key.removeprefix(ours)
