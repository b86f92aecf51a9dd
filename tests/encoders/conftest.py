from tests.support.determinism import deterministic

__all__ = ["deterministic"]
