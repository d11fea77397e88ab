/** A place in a {@link LinkedList}; an object is in at most one list at a time. */
export interface Linked<T extends Linked<T>> {
  list?: LinkedList<T> | undefined;
  previous?: T | undefined;
  next?: T | undefined;
}

/** A doubly linked list through its own members: append, take out and look at the first in constant time. */
export class LinkedList<T extends Linked<T>> {
  #first: T | undefined;
  #last: T | undefined;
  #version = 0;

  get first(): T | undefined {
    return this.#first;
  }

  /** Another number after each change. */
  get version(): number {
    return this.#version;
  }

  /** Puts the item at the end, taking it out of the list that it was in. */
  append(item: T): void {
    item.list?.remove(item);
    this.#version++;
    item.list = this;
    item.previous = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
  }

  /** Puts the item behind the last one that does not sort after it; quick where that is near the end. */
  insert(item: T, sortsAfter: (other: T) => boolean): void {
    item.list?.remove(item);
    this.#version++;
    let behind = this.#last;
    while (behind !== undefined && sortsAfter(behind)) behind = behind.previous;
    const before = behind === undefined ? this.#first : behind.next;
    item.list = this;
    item.previous = behind;
    item.next = before;
    if (behind === undefined) this.#first = item;
    else behind.next = item;
    if (before === undefined) this.#last = item;
    else before.previous = item;
  }

  /** Takes the item out; nothing happens when it is not in this list. */
  remove(item: T): void {
    if (item.list !== this) return;
    this.#version++;
    if (item.previous === undefined) this.#first = item.next;
    else item.previous.next = item.next;
    if (item.next === undefined) this.#last = item.previous;
    else item.next.previous = item.previous;
    item.list = undefined;
    item.previous = undefined;
    item.next = undefined;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let item = this.#first; item !== undefined; item = item.next) yield item;
  }
}
