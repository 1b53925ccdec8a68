/**
 * Who the process of an image is: the image's `User`, looked up in its own `/etc/passwd` and `/etc/group`.
 *
 * Both files are the image's: they are resolved inside of the rootfs, without waiting (one may be a fifo), and only so much is read of them.
 *
 * @see image-spec conversion.md, "Config.User"; passwd(5), group(5)
 */
import { closeSync, readSync } from "node:fs";
import type { User } from "../../config/types.ts";
import { type Fd, O } from "../../sys/fd.ts";
import { findInRoot } from "../../sys/path.ts";
import { fstat, isType } from "../../sys/stat.ts";

/** The user that a config.json gets, and where that lives. */
export interface ResolvedUser {
  user: User;
  home: string | null;
}

/** `-1` is "no change" to the kernel. */
const LARGEST_ID = 0xfffffffe;

/**
 * Resolves `user`, `uid`, `user:group`, `uid:gid` and the mixed forms; empty is root.
 * @param passwd text of the image's file @param group likewise
 * @throws {Error} for a name that the image does not have, and for a number that is no id
 */
export function resolveUser(text: string, passwd: string, group: string): ResolvedUser {
  const [userText = "", groupText, ...more] = text.split(":");
  if (more.length > 0) throw new Error(`the user ${JSON.stringify(text)} has more than one ":": user[:group] is right`);
  const uid = numberOf(userText, text);
  const entries = parsePasswd(passwd);
  const entry =
    uid === null
      ? entries.find(({ name }) => name === (userText || "root"))
      : entries.find((found) => found.uid === uid);
  if (uid === null && entry === undefined && userText !== "") {
    throw new Error(
      `the user ${JSON.stringify(userText)} is not in the image's /etc/passwd: write a number, or a name of it`,
    );
  }
  const hasGroup = groupText !== undefined && groupText !== "";
  const gid = hasGroup ? groupId(groupText, text, group) : (entry?.gid ?? 0);
  // A user by number gets no groups of the image: conversion.md. The primary group is among them always, so that a file which grants that group
  // less than others keeps doing so after a program has changed the primary one (CVE-2022-36109).
  const others = hasGroup || uid !== null || entry === undefined ? [] : groupsOf(entry.name, group);
  const additionalGids = [...new Set([gid, ...others])];
  return { user: { uid: uid ?? entry?.uid ?? 0, gid, additionalGids }, home: entry?.home || null };
}

/** A number, if it is one: all digits are a number, whatever names the image has. */
function numberOf(text: string, whole: string): number | null {
  if (!/^[+-]?\d+$/.test(text)) return null;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > LARGEST_ID)
    throw new Error(`the user ${JSON.stringify(whole)}: an id is a number of 0 to ${LARGEST_ID}`);
  return number;
}

function groupId(text: string, whole: string, group: string): number {
  const gid = numberOf(text, whole) ?? parseGroup(group).find(({ name }) => name === text)?.gid;
  if (gid === undefined)
    throw new Error(
      `the group ${JSON.stringify(text)} is not in the image's /etc/group: write a number, or a name of it`,
    );
  return gid;
}

function groupsOf(user: string, group: string): number[] {
  return parseGroup(group).flatMap(({ gid, members }) => (members.includes(user) ? [gid] : []));
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

function parsePasswd(text: string): PasswdEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uid = "", gid = "", , home = ""] = line.split(":");
    return name !== "" && isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [];
  });
}

function parseGroup(text: string): { name: string; gid: number; members: string[] }[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , gid = "", members = ""] = line.split(":");
    return name !== "" && isId(gid) ? [{ name, gid: Number(gid), members: members.split(",") }] : [];
  });
}

function isId(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= LARGEST_ID;
}

/** Bytes of a passwd or group file: no image has more, and a link to `/dev/zero` has no end. */
const LARGEST_FILE = 4 << 20;

/**
 * A file of an image; empty where there is none.
 * @throws {Error} for what is no regular file, or too large
 */
export function readInImage(rootfs: Fd, path: string): string {
  const file = findInRoot(rootfs, path, O.RDONLY | O.NONBLOCK | O.NOCTTY);
  if (file === null) return "";
  const fd = file.release();
  try {
    const stat = fstat(fd);
    if (!isType(stat, "regular")) throw new Error(`the image's ${path} is no regular file`);
    if (stat.size > LARGEST_FILE)
      throw new Error(`the image's ${path} has ${stat.size} bytes: more than ${LARGEST_FILE}`);
    const memory = Buffer.alloc(stat.size);
    let length = 0;
    for (let count = -1; count !== 0 && length < memory.length; length += count)
      count = readSync(fd, memory, length, memory.length - length, null);
    return memory.toString("utf8", 0, length);
  } finally {
    closeSync(fd);
  }
}
