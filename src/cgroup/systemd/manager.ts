/** systemd's manager, over D-Bus: making a container's unit, changing it, and ending it. @see org.freedesktop.systemd1(5) */

import type { Unit } from "../../plan/cgroups.ts";
import { hasErrno } from "../../sys/error.ts";
import { exists } from "../../sys/file.ts";
import { Bus, BusError, type Method, type Signal } from "./bus.ts";
import type { Value, Variant } from "./marshal.ts";
import type { Property } from "./properties.ts";

const MANAGER = {
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
} as const;

/** A connection to the manager of the system or of a user. */
export class Systemd implements Disposable {
  readonly #bus: Bus;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  /**
   * @param patience see `Bus.open`
   * @throws {Error} when there is none, or it does not answer
   */
  static connect(manager: Unit["manager"], patience?: number): Systemd {
    const address = manager === "user" ? userBus() : (process.env["DBUS_SYSTEM_BUS_ADDRESS"] ?? SYSTEM_BUS);
    try {
      return new Systemd(Bus.open(address, patience));
    } catch (error) {
      const hint =
        manager === "user" && hasErrno(error, "ENOENT", "ECONNREFUSED")
          ? " (is there a login session of this user?)"
          : "";
      throw new Error(`cannot reach systemd's ${manager} manager: ${(error as Error).message}${hint}`, {
        cause: error,
      });
    }
  }

  /** The version, in whole: 252 of `252.39-1~deb12u1`, `v249-48` and `256~rc3`. */
  version(): number {
    const text = String(this.#property(MANAGER.path, MANAGER.interface, "Version"));
    return Number(/\d+/.exec(text)?.[0] ?? 0);
  }

  /** The manager's own cgroup: `""` for the system's. */
  controlGroup(): string {
    return String(this.#property(MANAGER.path, MANAGER.interface, "ControlGroup"));
  }

  /**
   * Starts a transient unit, and waits until that is done. A failed one of the same name is cleared first.
   * @throws {Error} when the job does not come to a good end, or there is such a unit
   */
  start(unit: string, properties: readonly Property[]): void {
    const startUnit = () => this.#withoutUnknown(properties, (known) => this.#start(unit, known));
    try {
      startUnit();
    } catch (error) {
      if (!(error instanceof BusError) || error.errorName !== "org.freedesktop.systemd1.UnitExists") throw error;
      // One that has failed is only remembered. Of one that runs this is no end, and so the second try fails as the first.
      this.resetFailed(unit);
      startUnit();
    }
  }

  /**
   * Changes properties until the unit ends, or the machine does.
   * @returns the names of those that this systemd does not know
   * @throws {Error}
   */
  setProperties(unit: string, properties: readonly Property[]): void {
    if (properties.length === 0) return;
    this.#withoutUnknown(properties, (known) => {
      this.#call("SetUnitProperties", "sba(sv)", unit, true, known.map(toValue));
    });
  }

  /**
   * What properties of a unit are now, to be set to that again. Those that this systemd does not know are left out.
   * @throws {Error} when there is no such unit
   */
  properties(unit: string, names: readonly string[]): Property[] {
    const path = String(this.#call("GetUnit", "s", unit)[0]);
    const kind = unit.endsWith(".slice") ? "Slice" : "Scope";
    return names.flatMap((name): Property[] => {
      try {
        const { signature, value } = this.#get(path, `${MANAGER.destination}.${kind}`, name);
        // What is set to a list gets it in addition to what it has, but for the empty one, which clears it.
        const clear: Property[] = signature.startsWith("a") ? [[name, signature, []]] : [];
        return Array.isArray(value) && value.length === 0 ? clear : [...clear, [name, signature, value]];
      } catch (error) {
        if (error instanceof BusError && error.errorName.endsWith(".UnknownProperty")) return [];
        throw error;
      }
    });
  }

  /** Stops a unit and waits until it has ended. One that is not there is none to stop. @throws {Error} */
  stop(unit: string): void {
    try {
      this.#job(unit, () => this.#call("StopUnit", "ss", unit, "replace"));
    } catch (error) {
      if (!isNoUnit(error)) throw error;
    }
    this.resetFailed(unit);
  }

  /** Forgets that a unit has failed, so that its name is free. */
  resetFailed(unit: string): void {
    try {
      this.#call("ResetFailedUnit", "s", unit);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
    }
  }

  /** Moves processes to a unit's cgroup, or one below it: systemd may where we may not. @throws {Error} */
  attach(unit: string, path: string, pids: readonly number[]): void {
    this.#call("AttachProcessesToUnit", "ssau", unit, path, [...pids]);
  }

  [Symbol.dispose](): void {
    this.#bus[Symbol.dispose]();
  }

  #start(unit: string, properties: readonly Property[]): void {
    this.#job(unit, () =>
      this.#call("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "replace", properties.map(toValue), []),
    );
  }

  /** Does what begins a job, and waits for its end. @throws {Error} for any end but a good one; the unit is reset then */
  #job(unit: string, begin: () => Value[]): void {
    this.#bus.call(
      {
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member: "AddMatch",
        signature: "s",
      },
      `type='signal',interface='${MANAGER.interface}',member='JobRemoved',path='${MANAGER.path}'`,
    );
    this.#call("Subscribe", "");
    const [job] = begin();
    const isOurs = ({ member, values }: Signal) => member === "JobRemoved" && values[1] === job;
    const result = String(this.#bus.waitFor(`systemd's job for ${unit}`, isOurs).values[3]);
    if (result === "done") return;
    this.resetFailed(unit);
    throw new Error(`systemd's job for ${unit} ended with: ${result}`);
  }

  /** Does without a property that systemd says it does not know: the file has it, and nothing else can be done. */
  #withoutUnknown(properties: readonly Property[], act: (known: readonly Property[]) => void): void {
    let known = properties;
    for (;;) {
      try {
        return act(known);
      } catch (error) {
        const name =
          error instanceof BusError
            ? /^Cannot set property (\w+), or unknown property/.exec(error.message)?.[1]
            : undefined;
        const fewer = known.filter(([other]) => other !== name);
        if (name === undefined || fewer.length === known.length) throw error;
        known = fewer;
      }
    }
  }

  #property(path: string, ofInterface: string, name: string): Value {
    return this.#get(path, ofInterface, name).value;
  }

  #get(path: string, ofInterface: string, name: string): Variant {
    const method: Method = {
      destination: MANAGER.destination,
      path,
      interface: "org.freedesktop.DBus.Properties",
      member: "Get",
      signature: "ss",
    };
    return this.#bus.call(method, ofInterface, name)[0] as Variant;
  }

  #call(member: string, signature: string, ...values: readonly Value[]): Value[] {
    return this.#bus.call({ ...MANAGER, member, signature }, ...values);
  }
}

const SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket";

/** @throws {Error} when nothing says where it is */
function userBus(): string {
  const { DBUS_SESSION_BUS_ADDRESS: address, XDG_RUNTIME_DIR: directory } = process.env;
  if (address) return address;
  if (directory && exists(`${directory}/bus`)) return `unix:path=${directory}/bus`;
  throw new Error("neither $DBUS_SESSION_BUS_ADDRESS nor $XDG_RUNTIME_DIR/bus says where the user's bus is");
}

function toValue([name, signature, value]: Property): Value {
  return [name, { signature, value }];
}

function isNoUnit(error: unknown): boolean {
  return error instanceof BusError && error.errorName === "org.freedesktop.systemd1.NoSuchUnit";
}
