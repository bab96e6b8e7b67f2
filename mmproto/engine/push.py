from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmproto.datasets.checks import numbered_class
from mmproto.engine.nearest_patch_search import find_nearest_patches
from mmproto.models import unwrap_model
from mmproto.visualization.prototype_files import write_prototypes

# A class is said to collapse when its prototypes share patches down to half their number.
COLLAPSED = 0.5


@dataclass(frozen=True)
class PushReport:
    """What a push did.

    Attributes:
        moved: Squared distance (P,) that each prototype has moved.
        prototype_class: Class (P,) of each prototype.
        patch: Image, row and column (P, 3) of the patch that each prototype is now.
        class_names: Name of every class that has prototypes, by its number.
    """

    moved: Tensor
    prototype_class: Tensor
    patch: Tensor
    class_names: dict[int, str]

    def distinct(self, label: int) -> tuple[int, int]:
        """How many prototypes a class has, and on how many patches they are."""
        patches = self.patch[self.prototype_class == label]
        return len(patches), len(patches.unique(dim=0))

    @property
    def patches(self) -> int:
        """On how many patches all prototypes are."""
        return len(self.patch.unique(dim=0))

    def scalars(self) -> dict[str, float]:
        """What to plot of it: how far the prototypes moved, and on how many patches they are."""
        return {'push/mean_moved': self.moved.mean().item(), 'push/patches': self.patches}

    def summary(self) -> str:
        """How far the prototypes moved and how many patches they are, in words."""
        patches = self.patches
        shared = len(self.patch) - patches
        return (
            f'{len(self.moved)} prototypes moved by a squared distance of '
            f'{self.moved.mean():.4f} on average and {self.moved.max():.4f} at most, onto '
            f'{patches} different patches ({shared} share the patch of another)'
        )

    def warnings(self) -> list[str]:
        """One line for the classes whose prototypes collapse, if there are any."""
        counts = {label: self.distinct(label) for label in self.class_names}
        collapsed = {
            label: (prototypes, patches)
            for label, (prototypes, patches) in counts.items()
            if prototypes > 1 and patches <= COLLAPSED * prototypes
        }
        if not collapsed:
            return []
        named = [
            f'{self.class_names[label]}: {prototypes} on {patches}'
            for label, (prototypes, patches) in list(collapsed.items())[:5]
        ]
        return [
            f'prototypes collapse onto few patches in {len(collapsed)} of {len(counts)} classes '
            f'({"; ".join(named)}{"; ..." if len(collapsed) > 5 else ""}): fewer prototypes a '
            'class, a weaker cluster cost or a finer feature map help'
        ]


def push_prototypes(
    model: nn.Module, dataloader: DataLoader, out_dir: Path | str | None = None
) -> PushReport:
    """Push every prototype onto the nearest latent training patch of its class.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`; it is in eval mode afterwards.
        dataloader: The training images without augmentation, in order.
        out_dir: Where each prototype's pictures and ``prototypes.json`` go, if anywhere.

    Returns:
        What the push did.
    """
    model = unwrap_model(model)
    model.eval()
    head = model.head
    nearest = find_nearest_patches(model, dataloader)
    moved = head.push(nearest)
    if out_dir is not None:
        write_prototypes(model, nearest, dataloader.dataset, Path(out_dir))
    labels = head.prototype_class.unique().tolist()
    return PushReport(
        moved=moved.cpu(),
        prototype_class=head.prototype_class.cpu(),
        patch=torch.cat([head.prototype_image[:, None], head.prototype_location], dim=1).cpu(),
        class_names={
            label: numbered_class(dataloader.dataset, label) if label >= 0 else 'no class'
            for label in labels
        },
    )
