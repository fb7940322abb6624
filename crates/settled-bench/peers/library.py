"""What one operation costs in asyncio: TABLE HOW MILLIS.

Prints "operations nanoseconds CPU-nanoseconds - -" of the median batch.
"""

import asyncio
import sys
import time

table, how, millis = sys.argv[1:]


async def job(number):
    if how != "ready":
        await asyncio.sleep(0)
    return number


async def all_():
    """A thousand children."""
    with Watch(1_000) as watch:
        await asyncio.gather(*(job(i) for i in range(1_000)))
    return watch


async def map_():
    """Items from one iterator, ten at a time."""
    items = iter(range(10_000))

    async def worker():
        for item in items:
            await job(item)

    with Watch(10_000) as watch:
        await asyncio.gather(*(worker() for _ in range(10)))
    return watch


async def timeout():
    """A time limit that is not reached."""
    with Watch(1_000) as watch:
        for i in range(1_000):
            await asyncio.wait_for(job(i), 3600)
    return watch


async def cancel():
    """Waiting tasks, cancelled and gone."""

    async def never():
        await asyncio.Event().wait()

    tasks = [asyncio.ensure_future(never()) for _ in range(100_000)]
    await asyncio.sleep(0)
    with Watch(len(tasks)) as watch:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return watch


async def semaphore():
    """A permit taken and given back."""
    permits = asyncio.Semaphore(4)
    with Watch(10_000) as watch:
        for _ in range(10_000):
            async with permits:
                pass
    return watch


class Watch:
    """Times the part that counts."""

    def __init__(self, ops):
        self.ops = ops

    def __enter__(self):
        self.cpu, self.start = time.process_time_ns(), time.perf_counter_ns()
        return self

    def __exit__(self, *_):
        self.nanos = time.perf_counter_ns() - self.start
        self.cpu = time.process_time_ns() - self.cpu


async def main():
    batch = {"all": all_, "map": map_}.get(table) or globals()[table]
    await batch()
    watches, end = [], time.monotonic() + int(millis) / 1000
    while len(watches) < 3 or time.monotonic() < end:
        watches.append(await batch())
    watches.sort(key=lambda watch: watch.nanos)
    middle = watches[len(watches) // 2]
    print(middle.ops, middle.nanos, middle.cpu, "-", "-")


asyncio.run(main())
