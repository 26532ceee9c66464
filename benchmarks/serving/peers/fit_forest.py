"""`python fit_forest.py LAPS ASKED FOREST ANSWERS`: learn from the CSV LAPS, whose last column is
the lap time, and say what the forest makes of the rows of ASKED."""

import json
import sys
from pathlib import Path

import joblib
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

laps, asked, forest, answers = map(Path, sys.argv[1:])
learned = pd.read_csv(laps)
model = RandomForestRegressor(n_estimators=150, max_depth=20, n_jobs=-1, random_state=1)
model.fit(learned.iloc[:, :-1], learned.iloc[:, -1])
joblib.dump(model, forest)
answers.write_text(json.dumps(model.predict(pd.read_csv(asked)).tolist()))
