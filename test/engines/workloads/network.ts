/** Networks: what the engine sets up, the runtime must join. */
import type { Workload } from "../workload.ts";

const SERVE = "sh -c 'mkdir /www && echo page > /www/index.html && httpd -f -p 80 -h /www'";

export const NETWORK: readonly Workload[] = [
  {
    name: "a published port",
    words: {
      common: `
        $engine run --detach --name $id --publish 127.0.0.1::80 busybox ${SERVE} > /dev/null
        port=$($engine port $id 80 | sed 's/.*://' | head -n 1)
        fetch() { python3 -c "import urllib.request as r; print(r.urlopen('http://127.0.0.1:$port/', timeout=2).read().decode(), end='')"; }
        wait_for fetch; fetch`,
    },
    expected: "page",
  },
];
