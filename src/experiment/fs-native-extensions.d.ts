/** What is used here of the package, which comes without types. */
declare module 'fs-native-extensions' {
  /** Locks an open file for its descriptor alone; false where another descriptor holds it. @throws system errors. */
  export function tryLock(fd: number): boolean
}
