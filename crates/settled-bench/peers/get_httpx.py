"""httpx.AsyncClient, N workers over the streamed list, one JSONL line per response: FILE CONCURRENCY OUT"""
import asyncio
import json
import sys
import time

import httpx


async def main(path, workers, out):
    with open(path) as urls, open(out, "w") as lines:
        jobs = enumerate(urls)
        limits = httpx.Limits(max_connections=workers, max_keepalive_connections=workers)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:

            async def work():
                for i, url in jobs:
                    start, url = time.perf_counter(), url.strip()
                    response = await client.get(url)
                    us = int((time.perf_counter() - start) * 1e6)
                    line = {"id": i, "url": url, "status": response.status_code, "bytes": len(response.content), "us": us}
                    lines.write(json.dumps(line) + "\n")

            await asyncio.gather(*(work() for _ in range(workers)))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
