"""aiohttp, N workers over the streamed list, one JSONL line per response: FILE CONCURRENCY OUT [uvloop]"""
import asyncio
import json
import sys
import time

import aiohttp


async def main(path, workers, out):
    with open(path) as urls, open(out, "w") as lines:
        jobs = enumerate(urls)
        connector = aiohttp.TCPConnector(limit=workers)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def work():
                for i, url in jobs:
                    start, url = time.perf_counter(), url.strip()
                    async with session.get(url) as response:
                        body = await response.read()
                        us = int((time.perf_counter() - start) * 1e6)
                        line = {"id": i, "url": url, "status": response.status, "bytes": len(body), "us": us}
                        lines.write(json.dumps(line) + "\n")

            await asyncio.gather(*(work() for _ in range(workers)))


if len(sys.argv) > 4:
    import uvloop

    uvloop.install()
asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
