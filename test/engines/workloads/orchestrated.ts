/** Services: Compose, and Swarm with one manager. */
import type { Workload } from "../workload.ts";

export const ORCHESTRATED: readonly Workload[] = [
  {
    name: "compose: up, health dependency, names, exec, scale, down",
    short: true,
    limit: 600,
    words: {
      compose: `
        mkdir $id; cd $id
        cat > docker-compose.yml << 'END'
services:
  server:
    image: busybox
    command: sh -c 'mkdir /www && sleep 2 && echo page > /www/index.html && httpd -f -p 80 -h /www'
    healthcheck: { test: "wget -q -O - http://127.0.0.1/", interval: 1s, retries: 30 }
    read_only: false
    volumes: ["data:/data"]
  client:
    image: busybox
    command: sh -c 'wget -q -O /data/fetched http://server/; sleep 1000'
    depends_on: { server: { condition: service_healthy } }
    volumes: ["data:/data"]
    init: true
    user: "0"
  worker:
    image: busybox
    command: sleep 1000
volumes: { data: {} }
END
        docker-compose --project-name $id up --detach > /dev/null 2>&1; echo $?
        wait_for docker-compose --project-name $id exec -T client test -s /data/fetched
        docker-compose --project-name $id exec -T server cat /data/fetched
        docker-compose --project-name $id up --detach --scale worker=4 > /dev/null 2>&1
        docker-compose --project-name $id ps --quiet worker | wc -l
        docker-compose --project-name $id exec -T --index 4 worker sh -c 'exit 9'; echo $?
        docker-compose --project-name $id stop --timeout 0 worker > /dev/null 2>&1
        docker-compose --project-name $id down --volumes --timeout 0 > /dev/null 2>&1; echo $?
        docker ps --all --quiet --filter name=$id | wc -l
        cd ..; rm -r $id`,
    },
    expected: "0\npage\n4\n9\n0\n0",
  },
  {
    name: "swarm: a service scaled, rolled, healed; secrets",
    short: true,
    limit: 600,
    words: {
      swarm: `
        docker swarm init --advertise-addr 127.0.0.1 > /dev/null 2>&1 || echo no swarm
        echo hidden | docker secret create $id - > /dev/null
        docker service create --quiet --name $id --replicas 2 --no-resolve-image --secret $id --env WORD=old --stop-grace-period 1s busybox sleep 1000 > /dev/null
        tasks() { docker ps --quiet --filter label=com.docker.swarm.service.name=$id; }
        count() { [ "$(tasks | wc -l)" = "$1" ]; }
        wait_for count 2; tasks | wc -l
        docker exec $(tasks | head -n 1) cat /run/secrets/$id
        docker service scale --detach $id=5 > /dev/null; wait_for count 5; tasks | wc -l
        docker service update --quiet --no-resolve-image --update-delay 0s --update-parallelism 5 --env-add WORD=new $id > /dev/null
        words() { for task in $(tasks); do docker exec $task sh -c 'echo $WORD'; done | sort | uniq -c | tr -s ' '; }
        rolled() { [ "$(words)" = " 5 new" ]; }
        wait_for rolled; words
        docker rm --force $(tasks | head -n 1) > /dev/null; wait_for rolled; tasks | wc -l
        docker service logs $id > /dev/null && echo logs
        docker service rm $id > /dev/null; wait_for count 0; tasks | wc -l
        gone() { [ -z "$(docker ps --all --quiet --filter label=com.docker.swarm.service.name=$id)" ]; }
        wait_for gone
        docker secret rm $id > /dev/null; docker swarm leave --force > /dev/null; echo $?`,
    },
    expected: "2\nhidden\n5\n 5 new\n5\nlogs\n0\n0",
  },
];
