// Hands on the drawing: clicks, drags, pinches, keys.

class Hands {
  constructor(picture) {
    this.picture = picture;
    this.listen();
  }

  listen() {
    this.picture.svg.addEventListener("click", (event) => {
      if (this.dragged) return;
      const knob = event.target.closest(".knob");
      if (knob) {
        this.picture.fold(knob.standsFor);
        return;
      }
      const mark = event.target.closest(".part");
      if (mark) this.picture.choose(mark.standsFor);
    });
    this.picture.svg.addEventListener("dblclick", (event) => {
      const mark = event.target.closest(".part");
      if (mark && mark.standsFor.isGroup && !event.target.closest(".knob"))
        this.picture.fold(mark.standsFor);
    });
    this.picture.svg.addEventListener("keydown", (event) => this.key(event));
    this.picture.room.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const box = this.picture.room.getBoundingClientRect();
        this.picture.scaled(this.picture.scale * Math.exp(-event.deltaY * 0.004), [
          event.clientX - box.left,
          event.clientY - box.top,
        ]);
      },
      { passive: false },
    );
    this.listenToDrags();
    this.listenToPinches();
  }

  listenToDrags() {
    let start = null;
    this.picture.room.addEventListener("pointerdown", (event) => {
      this.dragged = false;
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      start = [
        event.clientX,
        event.clientY,
        this.picture.room.scrollLeft,
        this.picture.room.scrollTop,
      ];
    });
    window.addEventListener("pointermove", (event) => {
      if (!start || !event.buttons) return;
      const [x, y] = [event.clientX - start[0], event.clientY - start[1]];
      if (Math.hypot(x, y) < 5 && !this.dragged) return;
      this.dragged = true;
      this.picture.room.classList.add("dragging");
      this.picture.room.scrollLeft = start[2] - x;
      this.picture.room.scrollTop = start[3] - y;
    });
    window.addEventListener("pointerup", () => {
      start = null;
      this.picture.room.classList.remove("dragging");
    });
  }

  listenToPinches() {
    let begun = null;
    const apart = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    this.picture.room.addEventListener(
      "touchstart",
      ({ touches }) => {
        begun = touches.length === 2 ? [apart(touches), this.picture.scale] : null;
      },
      { passive: true },
    );
    this.picture.room.addEventListener(
      "touchmove",
      (event) => {
        if (!begun || event.touches.length !== 2) return;
        event.preventDefault();
        const box = this.picture.room.getBoundingClientRect();
        const [a, b] = event.touches;
        const at = [(a.clientX + b.clientX) / 2 - box.left, (a.clientY + b.clientY) / 2 - box.top];
        this.picture.scaled((begun[1] * apart(event.touches)) / begun[0], at);
      },
      { passive: false },
    );
  }

  // The keys of a tree (ARIA authoring practices): up and down go through all that is shown, right
  // unfolds and goes in, left goes out and folds.
  key(event) {
    const mark = event.target.closest(".part");
    if (!mark || event.ctrlKey || event.metaKey || event.altKey) return;
    const part = mark.standsFor;
    const all = [...this.picture.outline.shown()];
    const here = all.indexOf(part);
    const moves = {
      ArrowDown: () => all[here + 1],
      ArrowUp: () => all[here - 1],
      Home: () => all[0],
      End: () => all.at(-1),
      ArrowRight: () => this.inward(part),
      ArrowLeft: () => this.outward(part),
    };
    if (moves[event.key]) {
      event.preventDefault();
      const next = moves[event.key]();
      if (next) this.picture.focus(next);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.picture.choose(part);
      if (part.isGroup && event.key === "Enter") this.picture.fold(part);
    }
  }

  inward(part) {
    if (!part.isGroup) return null;
    if (part.open) return part.children[0];
    this.picture.fold(part, true);
    return null;
  }

  outward(part) {
    if (part.isGroup && part.open) {
      this.picture.fold(part, false);
      return null;
    }
    return part.parent === this.picture.outline.root ? null : part.parent;
  }
}
