"""Chen, Fang, Ye and Zhang, "Deep Video Harmonization by Improving Spatial-temporal Consistency", 2024.

Machine Intelligence Research 21(1):46-54, https://doi.org/10.1007/s11633-023-1447-3. No code was published, and the
paper leaves much open. What was read into it, why, and the option that chooses otherwise:

A1   The "feature pyramid network" is iSSAM's encoder: the base module is said to be iS2AM, and a U-Net has a pyramid.
A2   The "three scale levels" are iSSAM's three up-blocks: one upsampling and three 3 x 3 convolutions, as figure 2a
     says.
A3   Non-local blocks stand in the two coarse levels: the finest one has SSAM already, and "1, 2, 3 levels" go naturally
     from coarse to fine. `nonlocal_levels`: 0 to 3 of them, from the coarsest.
A4   In a level the block stands where iSSAM has SSAM, between the joining with the encoder's features and the last two
     convolutions (m = 256, 128, 64). `nonlocal_position="upsampled"`: before the joining (m = 128, 64, 32).
A5   The block is NLRN's: softmax of unscaled dot products, no convolution after the sum, l = m / 2, g from zero, so
     that it starts as the identity; without the norm that NLRN has around it, which the paper does not mention.
A6   q = 4 is a window of 4 x 4 places, -1 to +2 in each axis, as NLRN means "q x q neighbourhood". Places outside the
     picture have no vote, where NLRN's zeros have. Only pixels near the mask's border see background in so small a
     window. `q`: any side, 0 for the whole picture; `dilation` spreads it.
A7   The outputs of the foreground: the block's sum times the mask at the level's size; keys and values come from
     everywhere, for the background must inform the foreground. `mask_threshold` cuts the mask into yes and no.
A8   F^h is the last level's output: 32 channels at full size, as the decoder has. No flow needs to be rescaled.
A9   Flow is estimated on composites in [0, 1]: one LUT recolours a whole clip, so brightness is mostly constant. `flow`
     names the estimator, "none" leaves features where they lie. `flow_levels`: SPyNet's networks in use; BasicVSR uses
     all 6, "auto" gives 4 at 256 x 256. `flow_reduction` lets it look at smaller frames: 1 by default,
     but 2 with the weights that ship, which recipes/chen2024.toml trains so.
A10  Features travel as in BasicVSR, whose formulas section 3.3 has nearly sign for sign: a state through the whole
     window, fused with each frame by a 1 x 1 convolution of each direction. It is the only reading in which more frames
     help as much as in table 4. `propagation="direct"`: equation 1 as it stands, neighbours alone. `directions`: one of
     the two. `output="centre"`: training looks at the middle frame alone; together with "direct" all frames of the
     window are brought straight to it, as in EDVR.
A11  Equation 2 is one number for each pixel, the sigmoid of the dot product of two embeddings, as in EDVR: an affinity
     of all pixels with all pixels would have 65,536 squared entries. theta and phi serve both directions.
A12  Equation 3 weighs the neighbour's features, in the foreground; those of the current frame would leave nothing to
     aggregate. The mask is the current frame's. `aggregator=False` (table 2, row 5): as they are.
A13  The decoder gets [F^h, backward, forward]: 96 channels, 64 with one direction.
A14  The decoder: a convolution, five residual blocks of 32 channels without norm, a convolution; its result is added to
     the frame as stage 1 harmonized it, from zero, so that stage 2 starts where stage 1 ended. `head="plain"`: RGB, as
     the text says; "fusion": iSSAM's head.
A15  Stage 2 trains what is temporal; encoder and harmonization are frozen, their batch norms too, as CO2Net does it,
     and flow is. Options of the training objective choose otherwise: `train_image`, `train_flow`, and the stage's
     `rates`, as { flow = 0.125 } for flow that learns eight times as slowly.
A16  Table 4's time is that of a window, flow included: `chromacord bench methods` gives it, and the time a frame.
A17  Every frame is made in the middle of a window, where it sees most; a video's first and last frames are repeated.
     `hop`: more frames out of a window, up to all of them. What neighbouring windows share is computed once.
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
        weights: shipped weights, or the path of a .safetensors file. None: not trained.
        stage: 1: each frame by itself; 2: the whole network.
        frames: T, of a window.
        hop: how many frames come out of a window, those in its middle.
        working_side: height and width of the pictures that it looks at. The shipped weights were trained at 128 and do
            better at 256, the paper's; 128 takes a quarter of the time.
        nonlocal_levels, q, dilation, nonlocal_position, mask_threshold, propagation, directions, aggregator, output,
            head, flow, flow_levels, flow_reduction: see the top of this file; those of the weights.
        width: channels of the first and the last layers (32 in the paper); those of the weights.
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
        """Harmonize the middle frames of each window; with stage 1 all frames.

        Args:
            composite: RGB in [0, 1]. Shape (B, L, 3, H, W), H and W free; L free with stage 1.
            mask: foreground weight. Shape (B, L, 1, H, W).
            state: a `Memory`, or None.

        Raises:
            InputError: the window has another length.
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
    """Give a network its weights; stage 1 takes its part of the whole network's.

    Weights that hold none of SPyNet are meant for the one that is shipped: two files need not hold it twice.

    Args:
        network: is changed.
        source: the name of shipped weights, or the path of a .safetensors file.
        is_flow_shipped: whether weights without flow may take the shipped one: not if flow was to be trained anew.

    Raises:
        InputError: they cannot be read, or are of another network: names the first keys that differ.
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
    """Return the factor by which frames were reduced for flow when weights were trained, as far as it is known."""
    return _SHIPPED_REDUCTION if weights == _SHIPPED_WEIGHTS else 1
