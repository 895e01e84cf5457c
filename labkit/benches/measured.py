"""What the command `bench` measures, as values and in words."""

from labkit import bench


def webcam() -> tuple[dict, str]:
    """A frame of the webcam: what was measured, and the same for a reader."""
    r = bench.bench_webcam()
    text = (
        f"a frame of 640x480 with one face on one core: {r['webcam_ms']} ms (find {r['find_ms']}, "
        f"classify {r['classify_ms']}, draw {r['draw_ms']}; nine of ten below {r['slow_ms']}); "
        f"Haar and plain models {r['plain_ms']} ms, ratio {r['ratio']} "
        f"(load {r['load'] or 0:.1f} at the start)"
    )
    return r, text


def widgets() -> tuple[dict, str]:
    """Slider to picture in a browser, the same two."""
    from labkit.benches import widgets as in_browser

    result, lines = in_browser.bench_widgets(), []
    for name, row in result["widgets"].items():
        lines.append(f"{name}: {row['ms']} ms, bare picture {row['bare_ms']} ms, ratio {row['ratio']}")
    return result, "\n".join(lines)


def faces(rounds: int) -> tuple[dict, str]:
    """Built-in faces a second, the same two."""
    from labkit.benches import drawing

    r = drawing.bench_faces(rounds)
    lines = [
        f"built-in faces of {row['size']}x{row['size']}: {row['faces_per_second']:.0f} a second and core, "
        f"{row['ratio']:.0f} times the {1000 / row['photographs_per_second']:.2f} ms in which a photograph "
        f"is read (load {r['load'] or 0:.1f} at the start)"
        for row in r["faces"]
    ]
    return r, "\n".join(lines)


def disk(pictures: int, precision: str) -> tuple[dict, str]:
    """Training on pictures that stay on disk, the same two."""
    from labkit.benches import disk as on_disk

    r = on_disk.bench_disk(pictures, precision or "float32")
    rates = f"{r['disk_per_second']} a second from disk, {r['memory_per_second']} from memory"
    memory = f"at most {r['peak_megabytes']:,} MB of memory, {r['start_megabytes']:,} before"
    text = (
        f"{r['pictures']:,} pictures of {on_disk.SIZE}x{on_disk.SIZE}: {rates}, ratio {r['ratio']}; {memory} "
        f"({r['precision']}, load {r['load'] or 0:.1f} at the start)"
    )
    return r, text


def workers(n: int) -> tuple[dict, str]:
    """What `n` workers gain, the same two."""
    r = bench.bench_workers(n)
    text = (
        f"{r['rows']} short rows: {r['seconds_one_core']} s one after the other on one core, "
        f"{r['seconds_all_cores']} s on all cores, {r['seconds_workers']} s with {n} workers: "
        f"{r['ratio']} of one core, {r['ratio_all_cores']} of all cores"
    )
    return r, text


def models(model: str, rounds: int, precision: str) -> tuple[dict, str]:
    """Training of one model, "" = all, the same two."""
    results, lines = [], []
    for name in [model] if model else bench.CASES:
        r = bench.bench(name, rounds, precision=precision)
        results.append(r)
        lines.append(
            f"{r['model']}: {r['images_per_second']:.0f} images/s, "
            f"plain loop {r['plain_images_per_second']:.0f}, ratio {r['ratio']:.2f} ({r['precision']}, "
            f"{r['limit_share']:.0%} of forward and backward alone, load {r['load'] or 0:.1f} at the start)"
        )
    return {"models": results}, "\n".join(lines)
