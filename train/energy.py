"""Energy and carbon of a run by the formula of Touvron et al. (2023, section 6), which is that of Wu et al. (2022).

    Wh = device-hours x watts of a device x PUE        kg CO2eq = kWh x 0.385

The watts are what a device is designed for, not what was measured, as in the paper; the carbon of a kilowatt-hour is
the average of the US, wherever the run was, so that runs compare. Making the devices is not in it, nor are hosts and
network but through the PUE.
"""

from dataclasses import dataclass

from train.config import EnergySettings
from train.devices import published

SECONDS_PER_HOUR = 3600
KILO = 1e3


@dataclass(frozen=True)
class Energy:
    """What a run took.

    Attributes:
        device_hours: Hours times devices.
        watts: Power of one device.
        pue: Power usage effectiveness of the data centre.
        kg_per_kwh: Carbon dioxide equivalent of a kilowatt-hour.
    """

    device_hours: float
    watts: float
    pue: float
    kg_per_kwh: float

    @property
    def watt_hours(self) -> float:
        """Energy drawn by the data centre for the run."""
        return self.device_hours * self.watts * self.pue

    @property
    def kg_co2(self) -> float:
        """Carbon dioxide equivalent, in kilograms."""
        return self.watt_hours / KILO * self.kg_per_kwh

    def line(self) -> str:
        """The formula with its numbers.

        >>> Energy(1_022_362, 400, 1.1, 0.385).line()
        '1,022,362 device-hours x 400 W x PUE 1.1 = 450 MWh; x 0.385 kg/kWh = 173 t CO2eq'
        >>> Energy(0.5, 192, 1.1, 0.385).line()
        '0.5 device-hours x 192 W x PUE 1.1 = 106 Wh; x 0.385 kg/kWh = 40.7 g CO2eq'
        """
        return (
            f"{_short(self.device_hours)} device-hours x {self.watts:g} W x PUE {self.pue:g}"
            f" = {_scaled(self.watt_hours, ('Wh', 'kWh', 'MWh', 'GWh'))}"
            f"; x {self.kg_per_kwh:g} kg/kWh = {_scaled(self.kg_co2 * KILO, ('g', 'kg', 't', 'kt'))} CO2eq"
        )


def of(settings: EnergySettings, *, device_seconds: float, device_kind: str) -> Energy | None:
    """Reckon the energy of a run.

    Args:
        settings: Power, PUE and carbon.
        device_seconds: How long devices were held, compilation included, summed over them.
        device_kind: Names their power where the settings do not.

    Returns:
        ``None`` where neither settings nor vendor say what power a device takes.
    """
    watts = settings.watts if settings.watts is not None else published(device_kind).watts
    if watts is None:
        return None
    return Energy(device_seconds / SECONDS_PER_HOUR, watts, settings.pue, settings.kg_per_kwh)


def _scaled(value: float, units: tuple[str, ...]) -> str:
    """Write a value in the largest unit that leaves a digit before the point.

    >>> _scaled(999.9, ("g", "kg")), _scaled(1e6, ("g", "kg")), _scaled(0.0, ("g", "kg"))
    ('1 kg', '1,000 kg', '0 g')
    """
    unit = 0
    while float(f"{value:.3g}") >= KILO and unit < len(units) - 1:
        value, unit = value / KILO, unit + 1
    return f"{_short(value)} {units[unit]}"


def _short(value: float) -> str:
    """Three significant digits, all of them from a hundred on.

    >>> [_short(value) for value in (1234.5, 99.94, 1.0, 0.01234, 0.0)]
    ['1,234', '99.9', '1', '0.0123', '0']
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 -- three digits
