"""The foreground temporal aggregator: Chen et al. 2024, section 3.4, equations 2 and 3, figure 3."""

from torch import Tensor, nn


class ForegroundAggregator(nn.Module):
    """Attenuates an aligned neighbour's foreground where it does not resemble the current frame.

    A = sigmoid(theta(neighbour) . phi(current)), one value per pixel (equation 2). The neighbour is multiplied by A in
    the foreground and unchanged in the background (equation 3).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.theta, self.phi = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)

    def attention(self, neighbour: Tensor, current: Tensor) -> Tensor:
        """Return A, in (0, 1). Shape (N, width, H, W) twice to (N, 1, H, W)."""
        similarity: Tensor = (self.theta(neighbour) * self.phi(current)).sum(dim=1, keepdim=True)
        return similarity.sigmoid()

    def forward(self, neighbour: Tensor, current: Tensor, mask: Tensor) -> Tensor:
        """Weight a neighbour's features.

        Args:
            neighbour: features of another frame, aligned to the current one. Shape (N, width, H, W).
            current: features of the current frame. Shape (N, width, H, W).
            mask: of the current frame. Shape (N, 1, H, W).
        """
        attention = self.attention(neighbour, current)
        # Outside the mask the factor is exactly 1, so the neighbour keeps its bits.
        return neighbour * (1 - mask * (1 - attention))
