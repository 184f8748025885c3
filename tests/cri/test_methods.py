"""The methods that are known by name."""

from imagefit.cri import methods


def test_every_hooked_method_is_a_known_unary_one() -> None:
    assert {"/runtime.v1.ImageService/PullImage", "/runtime.v1alpha2.ImageService/PullImage"} == methods.PULL_METHODS
    assert methods.PULL_METHODS < methods.UNARY_METHODS
    assert not [method for method in methods.UNARY_METHODS if "Stream" in method or "Events" in method]
