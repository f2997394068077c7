"""Chen, Fang, Ye and Zhang, "Deep Video Harmonization by Improving Spatial-temporal Consistency", 2024.

Machine Intelligence Research 21(1):46-54, https://doi.org/10.1007/s11633-023-1447-3. No code was published, and the
paper leaves many details open. Our assumptions, the reasons for them, and the options that choose otherwise:

A1   The "feature pyramid network" is iSSAM's encoder: the base module is said to be iS2AM, and a U-Net has a pyramid.
A2   The "three scale levels" are iSSAM's three up-blocks: one upsampling and three 3 x 3 convolutions, as in figure 2a.
A3   Non-local blocks are in the two coarse levels: the finest already has SSAM, and "1, 2, 3 levels" suggests an order
     from coarse to fine. `nonlocal_levels`: number of levels with a block, 0 to 3, from the coarsest.
A4   In a level the block replaces iSSAM's SSAM, between the concatenation with the encoder's features and the last two
     convolutions (m = 256, 128, 64). `nonlocal_position="upsampled"`: before the concatenation (m = 128, 64, 32).
A5   The block is NLRN's: softmax of unscaled dot products, no convolution after the sum, l = m / 2, g starts at zero so
     that the block is the identity. NLRN's surrounding norm is omitted because the paper does not mention it.
A6   q = 4 is a window of 4 x 4 positions, -1 to +2 along each axis, like NLRN's "q x q neighbourhood". Positions
     outside the picture are excluded, where NLRN pads with zeros. In so small a window only pixels near the mask's edge
     see background. `q`: any side, 0 for the whole picture; `dilation` spreads it.
A7   Outputs are confined to the foreground by multiplying the block's sum with the mask at the level's size; keys and
     values come from everywhere, because the background must inform the foreground. `mask_threshold` binarizes the
     mask.
A8   F^h is the last level's output: 32 channels at full size, like the decoder's. Flow need not be rescaled.
A9   Flow is estimated on composites in [0, 1]: one LUT recolours a whole clip, so brightness is mostly constant. `flow`
     selects the estimator; "none" skips alignment. `flow_levels`: number of SPyNet levels; BasicVSR uses all 6, "auto"
     gives 4 at 256 x 256. `flow_reduction` estimates flow on smaller frames: 1 by default, but 2 with the shipped
     weights, which recipes/chen2024.toml trains that way.
A10  Features travel as in BasicVSR, whose formulas section 3.3 repeats almost symbol by symbol: a state passes through
     the whole window and is fused with each frame by a 1 x 1 convolution per direction. No other reading explains why
     more frames help as much as in table 4. `propagation="direct"`: equation 1 literally, neighbours only.
     `directions`: one of the two. `output="centre"`: train only the middle frame; combined with "direct", all frames of
     the window are aligned directly to it, as in EDVR.
A11  Equation 2 is one value per pixel, the sigmoid of the dot product of two embeddings, as in EDVR: an affinity
     between all pairs of pixels would have 65,536 squared entries. Both directions share theta and phi.
A12  Equation 3 weights the neighbour's features in the foreground; weighting the current frame's would leave nothing to
     aggregate. The mask is the current frame's. `aggregator=False` (table 2, row 5): no weighting.
A13  The decoder's input is [F^h, backward, forward]: 96 channels, or 64 with one direction.
A14  The decoder is a convolution, five residual blocks of 32 channels without norm, and a convolution; its result is
     added to stage 1's frame and starts at zero, so that stage 2 starts where stage 1 ended. `head="plain"`: RGB, as
     the text says; "fusion": iSSAM's head.
A15  Stage 2 trains only the temporal part; encoder and harmonization are frozen, including batch norms, as in CO2Net,
     and so is flow. Options of the training objective change this: `train_image`, `train_flow`, and the stage's
     `rates`, such as { flow = 0.125 } to train flow at an eighth of the learning rate.
A16  Table 4's time is per window, including flow: `chromacord bench methods` reports it along with the time per frame.
A17  Each frame is computed at the middle of a window, where it has most context; a video's first and last frames are
     repeated. `hop`: take more frames from each window, up to all. Neighbouring windows share intermediate results.
"""

from typing import Literal

from torch import Tensor

from chromacord.color.alpha import over
from chromacord.errors import InputError
from chromacord.lab.flow.spynet import NUM_LEVELS, SHIPPED, SPyNet
from chromacord.lab.layers.pictures import denormalize
from chromacord.lab.layers.propagation import Directions, Kind
from chromacord.lab.layers.temporal_decoder import Head
from chromacord.lab.layers.unet import WIDTH
from chromacord.lab.methods.evidence import kept_without_evidence
from chromacord.lab.networks.chen2024_network import Chen2024Network, FlowName, Output, Position, build_network
from chromacord.lab.torch_method import TensorPrediction, TorchMethod
from chromacord.lab.weight_files import fit, state_dict
from chromacord.methods.base import State, Window
from chromacord.types import Size

_SHIPPED_WEIGHTS, _SHIPPED_REDUCTION = "chen2024", 2


class Chen2024(TorchMethod):
    """Harmonize at several scales, and agree with neighbouring frames along optical flow (Chen 2024).

    Args:
        weights: name of shipped weights, or the path of a .safetensors file. None: untrained.
        stage: 1: image network only; 2: the whole network.
        frames: number of frames in a window, T.
        hop: number of frames taken from the middle of each window.
        working_side: height and width of the network's input. The shipped weights were trained at 128 but do better at
            256, as in the paper; 128 takes a quarter of the time.
        nonlocal_levels, q, dilation, nonlocal_position, mask_threshold, propagation, directions, aggregator, output,
            head, flow, flow_levels, flow_reduction: see the module docstring; must match the weights.
        width: channels of the first and the last layers (32 in the paper); must match the weights.
    """

    def __init__(
        self,
        weights: str | None = _SHIPPED_WEIGHTS,
        *,
        stage: Literal[1, 2] = 2,
        frames: int = 5,
        hop: int = 1,
        working_side: int = 256,
        nonlocal_levels: int = 2,
        q: int = 4,
        dilation: int = 1,
        nonlocal_position: Position = "joined",
        mask_threshold: float | None = None,
        propagation: Kind = "recurrent",
        directions: Directions = "both",
        aggregator: bool = True,
        output: Output = "all",
        head: Head = "residual",
        flow: FlowName = "spynet",
        flow_levels: int | Literal["auto"] = NUM_LEVELS,
        flow_reduction: int | None = None,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        if working_side < 1:
            raise InputError(f"working_side must be 1 or more, got {working_side}")
        if frames >= 1 and not 1 <= hop <= frames:  # the network reports other invalid values
            raise InputError(f"hop must lie in 1..{frames}, the frames of a window, got {hop}")
        self.stage, self.flow = stage, flow
        past = (frames - hop) // 2
        self.window = Window() if stage == 1 else Window(past, hop, frames - hop - past)
        self.working_size = Size(working_side, working_side)
        self.network = build_network(
            stage=stage,
            frames=frames,
            nonlocal_levels=nonlocal_levels,
            q=q,
            dilation=dilation,
            nonlocal_position=nonlocal_position,
            mask_threshold=mask_threshold,
            propagation=propagation,
            directions=directions,
            aggregator=aggregator,
            output=output,
            head=head,
            flow=flow,
            flow_levels=flow_levels,
            flow_reduction=_reduction(weights) if flow_reduction is None else flow_reduction,
            width=width,
        )
        if weights is not None:
            load_weights(self.network, weights, is_flow_shipped=flow == SHIPPED)

    def forward(self, composite: Tensor, mask: Tensor, state: State = None) -> TensorPrediction:
        """Harmonize the middle frames of each window; with stage 1, all frames.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), any H and W; any L with stage 1.
            mask: foreground weight. Shape (B, L, 1, H, W).
            state: a `Memory`, or None.

        Raises:
            InputError: the window has the wrong length.
        """
        if self.stage == 1:
            wanted, memory = range(composite.shape[1]), None
            picture = denormalize(self.network(composite, mask, stage=1).flatten(0, 1))
            whole = over(picture, composite.flatten(0, 1), mask.flatten(0, 1))
        else:
            if composite.shape[1] != self.window.length:
                raise InputError(
                    f"a window of chen2024 has {self.window.length} frames, got {composite.shape[1]}; repeat the first "
                    "and the last frame of a shorter clip, as chromacord.analysis.windows does"
                )
            wanted = range(self.window.past, self.window.past + self.window.hop)
            made, memory = self.network.window(composite, mask, wanted, state)
            whole = made.flatten(0, 1)
        places = slice(wanted[0], wanted[-1] + 1)
        center, weight = composite[:, places].flatten(0, 1), mask[:, places].flatten(0, 1)
        harmonized = kept_without_evidence(whole.clamp(0, 1), center, weight)
        return TensorPrediction(harmonized.unflatten(0, (len(composite), len(wanted))), state=memory)


def load_weights(network: Chen2024Network, source: str, *, is_flow_shipped: bool = True) -> None:
    """Load weights into a network; stage 1 takes its part of a whole network's weights.

    Weights without SPyNet use the shipped one, so that files need not contain it twice.

    Args:
        network: modified in place.
        source: the name of shipped weights, or the path of a .safetensors file.
        is_flow_shipped: allow weights without flow to use the shipped one; False if flow was to be trained.

    Raises:
        InputError: they cannot be read, or belong to another network; names the first keys that differ.
    """
    state = state_dict(source)
    if network.temporal is None:
        state = {key: value for key, value in state.items() if key.startswith("image.")}
    elif (
        is_flow_shipped
        and isinstance(network.flow, SPyNet)
        and {key.partition(".")[0] for key in state} == {"image", "temporal"}
    ):
        state |= {f"flow.{key}": value for key, value in state_dict(SHIPPED).items()}
    fit(network, state, source=source)


def _reduction(weights: str | None) -> int:
    """Return the reduction of frames for flow with which weights were trained; 1 if unknown."""
    return _SHIPPED_REDUCTION if weights == _SHIPPED_WEIGHTS else 1
