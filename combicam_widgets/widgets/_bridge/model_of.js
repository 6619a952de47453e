// Models that refer to each other, as they do in saved notebooks too.

/** The model that a trait of another refers to. */
export function modelOf(model, trait) {
  return model.widget_manager.get_model(model.get(trait).replace("IPY_MODEL_", ""));
}
