import { PbfReader, PbfWriter } from "pbf";
import { describe, expect, test } from "vitest";
import { decodeResponse, encodeRequest } from "../../src/criu/codec.ts";
import { CGROUP_MODE, TYPE } from "../../src/criu/messages.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("a request", () => {
  test("is as protobuf has it", () => {
    // type 1; opts: images_dir_fd 4, pid 300, leave_running
    expect(hex(encodeRequest({ type: TYPE.DUMP, opts: { images_dir_fd: 4, pid: 300, leave_running: true } }))).toBe(
      "08011207" + "0804" + "10ac02" + "1801",
    );
  });

  test("has what is 0 or false, and not what is left out", () => {
    const mode = CGROUP_MODE.ignore;
    expect(mode).toBe(0);
    // field 34, a varint: 0x90 0x02
    expect(hex(encodeRequest({ type: TYPE.DUMP, opts: { manage_cgroups_mode: mode, shell_job: false } }))).toBe(
      "08011205" + "3800" + "900200",
    );
    expect(hex(encodeRequest({ type: TYPE.NOTIFY, notify_success: false }))).toBe("08061800");
  });

  test("repeats what there are several of, and keeps names that are bytes", () => {
    const ext_mnt = [
      { key: "/a", val: "/b" },
      { key: "/\udcff", val: "" },
    ];
    expect(hex(encodeRequest({ type: TYPE.RESTORE, opts: { ext_mnt } }))).toBe(
      "08021214" + "ba0108" + "0a022f61" + "12022f62" + "ba0106" + "0a022fff" + "1200",
    );
  });

  test("may be longer than a byte tells", () => {
    const path = `/${"x".repeat(1000)}`;
    const bytes = encodeRequest({ type: TYPE.DUMP, opts: { root: path } });
    const seen: unknown[] = [];
    new PbfReader(bytes).readFields((tag, _, reader) => {
      seen.push([tag, tag === 2 ? reader.readVarint() : reader.readVarint()]);
      if (tag === 2) reader.pos = bytes.length;
    }, null);
    expect(seen).toEqual([
      [1, 1],
      [2, 1004],
    ]);
  });
});

describe("a response", () => {
  function response(write: (to: PbfWriter) => void): Uint8Array {
    const writer = new PbfWriter();
    write(writer);
    return writer.finish();
  }

  test("is read, with what is in it, and without what is not known", () => {
    const bytes = response((to) => {
      to.writeVarintField(1, TYPE.NOTIFY);
      to.writeBooleanField(2, true);
      to.writeStringField(99, "of a newer CRIU");
      to.writeMessage(
        5,
        (_, notify) => {
          notify.writeStringField(1, "post-restore");
          notify.writeVarintField(7, 5);
          notify.writeVarintField(2, 4711);
        },
        null,
      );
    });
    expect(decodeResponse(bytes)).toEqual({
      type: TYPE.NOTIFY,
      success: true,
      notify: { script: "post-restore", pid: 4711 },
    });
  });

  test("may have negative numbers", () => {
    const bytes = response((to) => {
      to.writeVarintField(1, TYPE.RESTORE);
      to.writeMessage(4, (_, restore) => restore.writeVarintField(1, -1), null);
    });
    expect(decodeResponse(bytes)).toEqual({ type: TYPE.RESTORE, restore: { pid: -1 } });
  });

  test.each([[[]], [[0x12, 0x01]]])("of the bytes %s is refused", (bytes) => {
    expect(() => decodeResponse(Uint8Array.from(bytes))).toThrow("cannot be read");
  });
});
