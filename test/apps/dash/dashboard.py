from dash import Dash, html

board = Dash(__name__, title="Level of the lake")
board.layout = html.Div("calm")

if __name__ == "__main__":
    board.run(debug=True)
