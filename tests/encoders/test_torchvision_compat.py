import importlib

import pytest

from reelpack.encoders import torchvision_compat
from reelpack.encoders.torchvision_compat import import_timm, import_torchvision


def test_both_can_be_imported_and_timm_makes_models():
    assert import_torchvision().models.resnet18
    model = import_timm().create_model("resnet18", pretrained=False, num_classes=0)
    assert model.num_features == 512


def test_other_errors_are_not_hidden(monkeypatch):
    def fails(name):
        raise RuntimeError("something else is broken")

    monkeypatch.setattr(importlib, "import_module", fails)
    import_torchvision.cache_clear()
    try:
        with pytest.raises(RuntimeError, match="something else"):
            torchvision_compat.import_torchvision()
    finally:
        import_torchvision.cache_clear()
