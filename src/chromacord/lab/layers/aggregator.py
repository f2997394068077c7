"""The foreground temporal aggregator: Chen et al. 2024, section 3.4, equations 2 and 3, figure 3."""

from torch import Tensor, nn


class ForegroundAggregator(nn.Module):
    """Dampens an aligned neighbour's foreground where it does not resemble the current frame.

    A = sigmoid(theta(neighbour) . phi(current)), a number for each pixel (equation 2); neighbour times A in the
    foreground, as it is in the background (equation 3).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.theta, self.phi = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)

    def attention(self, neighbour: Tensor, current: Tensor) -> Tensor:
        """Return A, in (0, 1). Shape (N, width, H, W) twice to (N, 1, H, W)."""
        similarity: Tensor = (self.theta(neighbour) * self.phi(current)).sum(dim=1, keepdim=True)
        return similarity.sigmoid()

    def forward(self, neighbour: Tensor, current: Tensor, mask: Tensor) -> Tensor:
        """Weigh a neighbour.

        Args:
            neighbour: features of another frame, brought to the current one. Shape (N, width, H, W).
            current: Shape (N, width, H, W).
            mask: of the current frame. Shape (N, 1, H, W).
        """
        attention = self.attention(neighbour, current)
        # Written so that outside the mask the neighbour keeps its bits.
        return neighbour - mask * (1 - attention) * neighbour
