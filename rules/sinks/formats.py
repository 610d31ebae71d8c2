"""Who makes the documents of a sink in the format of others."""

from __future__ import annotations

from gateway.config import ConfigError
from gateway.config.models import SiteFile
from gateway.config.sinks import OF_EVENTS, Format
from rules.exporters import Exporter
from rules.exporters.codeco import CodecoExporter
from rules.exporters.dcsa import DcsaExporter
from rules.exporters.epcis import EpcisExporter


def exporter_of(wanted: Format, site: SiteFile) -> Exporter | None:
    """The exporter of a format, as `[exports]` sets it; None for formats of our own.

    Raises:
        ConfigError: its table is missing.
    """
    if wanted not in OF_EVENTS:
        return None
    settings = site.exports
    zone = site.production.zone(site.energy)
    if wanted is Format.EPCIS and settings.epcis is not None:
        return EpcisExporter(settings.epcis, site=site.site.name, zone=zone)
    if wanted is Format.CODECO and settings.codeco is not None:
        return CodecoExporter(settings.codeco, zone=zone)
    if wanted is Format.DCSA and settings.dcsa is not None:
        return DcsaExporter(settings.dcsa, zone=zone)
    raise ConfigError(f"the format {wanted.value!r} needs the table [exports.{wanted.value}]; add it")
