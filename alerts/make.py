"""The engine as the section `[alerts]` and the receivers say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from alerts import receivers as addresses
from alerts.engine import Engine
from alerts.notify import Alertmanager, Heartbeat
from alerts.receivers import Receivers
from alerts.rule import Rule
from alerts.settings import AlertSettings, Mode
from alerts.tell import Shadow, Teller, ThroughAlertmanager
from gpuledger.errors import ConfigError, nearest
from gpuledger.lease import Lease
from gpuledger.plugins import discover
from gpuledger.store import Store

LEASE, LEASE_S = "alerts", 180.0


def known_rules(settings: AlertSettings) -> dict[str, Rule]:
    """Every rule by its name, with the thresholds of the section, without those that are off.

    ConfigError for a rule that there is not, and for a threshold of 0 or below: all would reach it.
    """
    known = {rule.name: rule for rule in discover("alerts.rules", Rule).values()}
    _check_named("thresholds", settings.thresholds, known)
    _check_named("off", settings.off, known)
    for name, threshold in settings.thresholds.items():
        if not 0 < threshold < math.inf:
            raise ConfigError(f"[alerts] thresholds: {name} = {threshold:g} is not above 0")
    return {
        name: replace(
            rule,
            threshold=settings.thresholds.get(name, rule.threshold),
            runbooks=settings.runbook_url.rstrip("/") or rule.runbooks,
        )
        for name, rule in known.items()
        if name not in settings.off
    }


def make_engine(store: Store, settings: AlertSettings, environ: Mapping[str, str]) -> Engine:
    """The engine over every rule there is.

    With `engine = false` alerts are measured, for /metrics, and never fire. ConfigError for a rule
    that there is not, for an address that nothing can be sent to, and where nobody could be told.
    """
    rules = known_rules(settings)
    receivers = addresses.load(settings.receivers_file, environ)
    if not settings.engine:
        rules = {name: replace(rule, for_s=math.inf) for name, rule in rules.items()}
    return Engine(
        store,
        list(rules.values()),
        make_teller(store, rules, settings, receivers),
        # One process owns an embedded store: nobody else could evaluate there.
        lease=None if store.address.directory else Lease(store, LEASE, LEASE_S),
        heartbeat=Heartbeat(receivers.heartbeat, timeout_s=settings.timeout_s),
    )


def make_teller(
    store: Store, rules: Mapping[str, Rule], settings: AlertSettings, receivers: Receivers
) -> Teller:
    """Who tells, by mode: nobody, Alertmanager, or we ourselves."""
    if settings.mode is Mode.SHADOW or not settings.engine:
        return Shadow(store)
    if settings.mode is Mode.PAGE and settings.alertmanager_url:
        sender = Alertmanager(settings.alertmanager_url, timeout_s=settings.timeout_s)
        return ThroughAlertmanager(store, rules, sender)
    if not receivers.platform:
        instead = " alertmanager_url, or" if settings.mode is Mode.PAGE else ""
        raise ConfigError(
            f"[alerts] mode = '{settings.mode.value}' needs{instead} receivers_file with"
            " 'platform': those who hear what nobody else does"
        )
    return _direct(store, rules, settings, receivers)


def _direct(
    store: Store, rules: Mapping[str, Rule], settings: AlertSettings, receivers: Receivers
) -> Teller:
    # Apprise is needed, and takes its time to load, only where we tell people ourselves.
    from alerts.apprise_door import AppriseDoor, checked  # noqa: PLC0415 - see above
    from alerts.direct import Direct  # noqa: PLC0415 - see above

    door = AppriseDoor(receivers.mail, settings.timeout_s)
    return Direct(store, rules, checked(receivers, door), door, settings.timing())


def _check_named(key: str, names: Iterable[str], known: Mapping[str, Rule]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"[alerts] {key}: unknown rule '{name}'{nearest(name, known)}")
