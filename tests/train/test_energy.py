import pytest

from train.config import EnergySettings
from train.energy import of

A100 = "NVIDIA A100-SXM4-80GB"


# Table 15 of Touvron et al. (2023). By hand: hours x 0.44 kW = kWh, x 0.385 = kg. The paper cuts MWh to whole numbers;
# its 475 MWh of BLOOM are not what its own hours give, 476.
@pytest.mark.parametrize(
    ("gpu_hours", "kwh", "kg", "printed_tonnes"),
    [
        (809_472, 356_167.68, 137_124.5568, 137),
        (1_082_880, 476_467.2, 183_439.872, 183),
        (82_432, 36_270.08, 13_963.9808, 14),
        (135_168, 59_473.92, 22_897.4592, 23),
        (530_432, 233_390.08, 89_855.1808, 90),
        (1_022_362, 449_839.28, 173_188.1228, 173),
    ],
    ids=["OPT-175B", "BLOOM-175B", "LLaMA-7B", "LLaMA-13B", "LLaMA-33B", "LLaMA-65B"],
)
def test_energy_and_carbon_are_those_of_the_papers_table_15(gpu_hours, kwh, kg, printed_tonnes):
    energy = of(EnergySettings(), device_seconds=gpu_hours * 3600, device_kind=A100)
    assert energy.device_hours == pytest.approx(gpu_hours)
    assert energy.watts == 400
    assert energy.watt_hours == pytest.approx(kwh * 1000)
    assert energy.kg_co2 == pytest.approx(kg)
    assert round(energy.kg_co2 / 1000) == printed_tonnes


def test_every_number_of_the_formula_can_be_set():
    settings = EnergySettings(watts=250, pue=1.5, kg_per_kwh=0.057)
    energy = of(settings, device_seconds=4 * 1800, device_kind=A100)
    assert (energy.device_hours, energy.watts, energy.watt_hours) == (2, 250, 750)
    assert energy.kg_co2 == pytest.approx(0.75 * 0.057)
    assert energy.line() == "2 device-hours x 250 W x PUE 1.5 = 750 Wh; x 0.057 kg/kWh = 42.8 g CO2eq"


@pytest.mark.parametrize("kind", ["cpu", "TPU v5 lite"])
def test_where_nobody_says_what_power_a_device_takes_nothing_is_reckoned(kind):
    assert of(EnergySettings(), device_seconds=60, device_kind=kind) is None
    assert of(EnergySettings(watts=60), device_seconds=60, device_kind=kind).watt_hours == pytest.approx(1.1)
