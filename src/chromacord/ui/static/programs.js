// WebGL programs, one for each combination of choices, compiled on first use.

import { VERTEX, fragment } from "./shaders.js";

export class Programs {
  constructor(gl, units) {
    Object.assign(this, { gl, units, made: new Map() });
  }

  /** Make a program current; return the function that finds its uniforms. */
  use(choices) {
    const key = JSON.stringify(choices, Object.keys(choices).sort());
    if (!this.made.has(key)) this.made.set(key, this.make(choices));
    const { program, at } = this.made.get(key);
    this.gl.useProgram(program);
    return at;
  }

  make(choices) {
    const { gl } = this, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment(choices)]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.bindAttribLocation(program, 0, "corner");
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`the viewer's shader does not work here: ${gl.getProgramInfoLog(program)}`);
    }
    const places = new Map();
    const at = (name) => {
      if (!places.has(name)) places.set(name, gl.getUniformLocation(program, name));
      return places.get(name);
    };
    gl.useProgram(program);
    for (const [name, unit] of Object.entries(this.units)) gl.uniform1i(at(name), unit);
    return { program, at };
  }
}
