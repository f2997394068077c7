// Requests to our server. Every error is one line of text that says what to do.

async function failure(response) {
  const text = await response.text();
  try {
    return new Error(JSON.parse(text).error);
  } catch {
    return new Error(text.trim() || `the server answered ${response.status}`);
  }
}

export async function fetched(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer; is `chromacord ui` still running?");
  }
  if (!response.ok) throw await failure(response);
  return response;
}

export async function get(path) {
  return (await fetched(path)).json();
}

export async function send(path, body, method = "POST") {
  const options = { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return (await fetched(path, options)).json();
}

export function upload(file, progress) {
  // fetch reports no upload progress, so use XMLHttpRequest.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/uploads?name=${encodeURIComponent(file.name)}`);
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(event.total, 1));
    request.onload = () => {
      const answer = JSON.parse(request.responseText || "{}");
      request.status === 200 ? resolve(answer.path) : reject(new Error(answer.error || "the upload failed"));
    };
    request.onerror = () => reject(new Error("the upload failed; is the server still running?"));
    request.send(file);
  });
}
