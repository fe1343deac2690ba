"""The commands from a run to robots: export, verify, drive, host a simulated fleet, and make keys and signatures.

A command imports what it runs, so that help and mistakes come at once.
"""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from export.fleet.config import SOUND, FleetConfig, RadioConfig
from fleetmix.options import EvalConfig
from fleetmix.output import log, show
from policies.files import write_atomically
from sim.errors import InputError, require

Place = Annotated[Path, tyro.conf.Positional]
Evaluation = Annotated[EvalConfig, tyro.conf.arg(name="")]
Hosting = Annotated[FleetConfig, tyro.conf.arg(name="")]
Radio = Annotated[RadioConfig, tyro.conf.arg(name="")]
_AFTER_A_CHANGE = "the base must be started again with its base.json, which is when old keys stop to count"


def export(run: Place, out: Path | None = None) -> None:
    """Write a run's bundle: manifest.json, robot_<i>.onnx for each robot, controller.onnx.

    Args:
        run: the run folder.
        out: the bundle's folder; by default `bundle` in the run folder.
    """
    from export.pipeline import export_run
    from policies.runs.folder import load_run

    bundle = export_run(load_run(run), out)
    log(f"{len(bundle.manifest.robots)} robots exported; bundle: {bundle.path}")


def verify(path: Place, recording: Path | None = None) -> None:
    """Hold a bundle against its run, torch and onnxruntime side by side, or against a recording.

    Args:
        path: a run folder (its bundle is written first where there is none) or a bundle.
        recording: what --record wrote: does the bundle decide again what was recorded?
    """
    if recording is not None:
        from export.pipeline import bundle_of
        from export.verify.recording import verify_recording

        log(str(verify_recording(recording, bundle_of(path))))
        return
    from export.pipeline import verify_path

    log(str(verify_path(path)))


def drive(
    path: Place, options: Evaluation, radio: Radio = SOUND, processes: bool = False, real_time: bool = False
) -> None:
    """Drive the fleet in the simulator, every robot with its own ONNX files and its own observation only.

    Args:
        path: a run folder or a bundle.
        options: where and how often.
        radio: what goes wrong by radio.
        processes: start a process for every robot, which gets its own sensors over the network and nothing else.
        real_time: with processes, let the clock set the pace, in place of waiting for every answer.
    """
    from export.fleet.evaluate import evaluate_processes
    from export.fleet.onnx_policy import OnnxFleetPolicy
    from export.fleet.record_policy import record_policy
    from export.fleet.recording import record_fleet
    from export.pipeline import bundle_of
    from policies.evaluate import choose_scene, evaluate_fleet
    from policies.results import make_row

    require(processes or not real_time, "real-time", real_time, "false without --processes")
    require(processes or not radio.radio_off, "radio-off", " ".join(radio.radio_off), "nobody without --processes")
    bundle = bundle_of(path)
    fleet = OnnxFleetPolicy(bundle, 1)
    scene, layout = choose_scene(*fleet.trained_in(), options.scene, options.robots, options.drive)
    scene = radio.applied_to(scene)
    if not processes:
        watch = record_policy(options.record, options.record_scans, log)
        count = options.episodes, options.seed
        show(evaluate_fleet([fleet], scene, layout, *count, fleet.control, watch=watch), options.json)
        return
    record = partial(record_fleet, file=options.record, policy=fleet.name, log=log, scans=options.record_scans)
    played = evaluate_processes(bundle, scene, layout, options.scene, options.seeds, not real_time, radio, record)
    always_go, solo = evaluate_fleet([], scene, layout, options.episodes, options.seed)
    show([always_go, make_row(f"{fleet.name}, processes", scene, played, solo.throughput), solo], options.json)


def fleet(config: Hosting, radio: Radio = SOUND) -> None:
    """Host the simulated warehouse that robots' processes connect to, until Ctrl-C.

    Args:
        config: the warehouse and its network.
        radio: what goes wrong by radio.
    """
    from export.fleet.host import host_fleet

    host_fleet(config, log, radio)


def keys(
    out: Place,
    robots: int | None = None,
    host: tuple[str, ...] = ("127.0.0.1", "localhost"),
    port: int = 7447,
    days: float = 365.0,
    add: tuple[str, ...] = (),
    revoke: tuple[str, ...] = (),
) -> None:
    """Make keys for a fleet: who holds one can do on the network what its robot may, and no more.

    Args:
        out: folder of the keys; one that exists is changed by --add and --revoke alone.
        robots: how many, robot_0 and so on, of a new fleet.
        host: names or addresses of a new fleet's base, as robots reach it; the first is where they connect to.
        port: where a new fleet's base listens.
        days: how long the new keys count.
        add: robots to issue keys to.
        revoke: robots, operator or base whose keys shall no longer count; each gets a new one.
    """
    require(0 < days <= 3650, "days", days, "above 0, up to 3650")
    change = bool(add or revoke)
    if change == (robots is not None):
        raise InputError(
            "keys need a fleet; valid is --robots N for new ones, or --add and --revoke for a folder of keys"
        )
    from export.keys.folder import change_keys, make_keys

    lasts = timedelta(days=days)
    if robots is None:
        change_keys(out, add, revoke, lasts)
        log(f"new keys: {', '.join(f'{out / name}.json' for name in (*add, *revoke))}; {_AFTER_A_CHANGE}")
        if "base" in revoke:
            log("the base's old key counts with robots until it expires; if it was stolen, make a new folder of keys")
        return
    require(1 <= robots <= 1000, "robots", robots, "1 to 1000")
    require(1 <= port < 2**16, "port", port, "1 to 65535")
    make_keys(out, [f"robot_{i}" for i in range(robots)], host, lasts, port)
    log(f"keys: {out}/base.json, operator.json, robot_<i>.json; ca.key, which makes more, belongs on no robot")
    log(f"next: fleetmix fleet --zenoh {out / 'base.json'}")


def sign(bundle: Place, key: Path) -> None:
    """Sign a bundle's manifest with an Ed25519 key, so that robots can tell that it comes from you.

    Args:
        bundle: the bundle's folder.
        key: private key (PEM), as `openssl genpkey -algorithm ed25519 -out key.pem` makes it.
    """
    from export.bundle.files import SIGNATURE
    from export.bundle.manifest import open_bundle
    from export.bundle.signature import sign_manifest

    opened = open_bundle(bundle)
    opened.require_whole()
    write_atomically(bundle / SIGNATURE, sign_manifest(opened.manifest_bytes, key))
    log(f"signed: {bundle / SIGNATURE}")
