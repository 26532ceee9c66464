SwaggerUIBundle({
  dom_id: "#docs",
  url: "openapi.json",
  deepLinking: true,
  displayRequestDuration: true,
  // It would send the document's address to a validator on the internet.
  validatorUrl: null,
});
