import numpy as np
import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.encoders.torchvision_compat import import_torchvision
from tests.support.feature_weights import (
    converted,
    light,
    loaded,
    neighbours_change_nothing,
    pixels,
    valued,
    write_state_dict,
)


@pytest.fixture(scope="module")
def published():
    """torchvision's own model with random values."""
    import_torchvision()
    from torchvision.models import resnet152

    with torch.device("meta"):
        model = resnet152()
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    tensors = valued({name: shape for name, shape in shapes.items() if shape}, seed=0, gain=1.6)
    counts = {name: torch.tensor(5) for name, shape in shapes.items() if not shape}
    model.load_state_dict({**tensors, **counts}, assign=True)
    return model.eval()


@pytest.fixture(scope="module")
def ours(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("resnet152")
    path = write_state_dict(published.state_dict(), folder / "resnet152.pth")
    return loaded(path, folder, name="resnet152")


@pytest.mark.parametrize(("height", "width"), [(128, 171), (97, 64)])
def test_rows_equal_torchvision(published, ours, height, width):
    frames = pixels(2, height, width)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        x = ((torch.from_numpy(frames) / 255 - mean) / std).permute(0, 3, 1, 2)
        for name, layer in published.named_children():
            if name not in ("avgpool", "fc"):
                x = layer(x)
        theirs = torch.nn.functional.normalize(x.mean((2, 3)), dim=1).numpy()
    rows = ours.encode(frames)
    assert rows.shape == (2, 2048)
    assert np.abs(rows - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_a_row_depends_on_its_picture_alone(ours):
    assert neighbours_change_nothing(ours, 64, 97)


def test_a_smaller_resnet_is_refused(tmp_path):
    import_torchvision()
    from torchvision.models import resnet18

    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in resnet18().state_dict().items()}
    path = write_state_dict(light(shapes), tmp_path / "resnet18.pth")
    with pytest.raises(UserError, match=r"original: not the weights of resnet152: tensor layer1"):
        converted(path, tmp_path, name="resnet152")
