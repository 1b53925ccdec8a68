/** Moves a network device into the namespace of a process, for the test: arguments `<name> <new name> <pid>`. */
import { moveNetDevice } from "../../src/runtime/net-devices.ts";

const [, , name, newName, pid] = process.argv as [string, string, string, string, string];
moveNetDevice({ kind: "move-net-device", name, newName }, Number(pid));
